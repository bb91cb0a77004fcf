"""Version v1alpha of the reflection service. Its servers answer in version v1, too."""

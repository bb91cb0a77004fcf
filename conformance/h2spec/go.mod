// What `make h2spec` builds: h2spec at the newest version that is a Go module.
module clarion/conformance/h2spec

go 1.21

require (
	github.com/fatih/color v1.18.0
	github.com/spf13/cobra v1.8.1
	github.com/summerwind/h2spec v2.2.1+incompatible
	golang.org/x/net v0.33.0
)

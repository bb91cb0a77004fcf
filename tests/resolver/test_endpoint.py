import pytest

from clarion.resolver.endpoint import Endpoint
from clarion.resolver.target import HostPort

_ADDRESS = HostPort("192.0.2.1", 443)


@pytest.mark.parametrize("weight", [0, -1, float("nan")])
def test_a_weight_is_positive(weight: float) -> None:
    with pytest.raises(ValueError, match=r"192\.0\.2\.1.*weight=.* is not positive"):
        Endpoint((_ADDRESS,), {"weight": weight})


@pytest.mark.parametrize("attributes", [{}, {"weight": 0.5}, {"weight": 3}])
def test_weights_that_are(attributes: dict[str, float]) -> None:
    assert Endpoint((_ADDRESS,), attributes).attributes == attributes

"""Load balancing: from endpoints to the server that gets a call.

`policy` says what a policy is, `pick` what its pickers answer, `registry` knows policies by name; every other module
is one policy, or what several share. All of it is state machines without I/O and without a clock of their own.

To offer a policy of your own, subclass `Policy`, give it a `name`, decorate it with `register`, and name it in a
service config: `{"loadBalancingConfig": [{"my_policy": {}}]}`.
"""

from __future__ import annotations

from clarion.load_balancing.config_error import ConfigError
from clarion.load_balancing.metrics import PolicyMetric
from clarion.load_balancing.pick import (
    QUEUE,
    Done,
    Drop,
    Fail,
    FixedPicker,
    Pick,
    Picked,
    Picker,
    PickInfo,
    Queue,
    QueuePicker,
)
from clarion.load_balancing.policy import Endpoint, Helper, Policy, Subchannel, Update
from clarion.load_balancing.registry import PolicyConfig, register

__all__ = [
    "QUEUE",
    "ConfigError",
    "Done",
    "Drop",
    "Endpoint",
    "Fail",
    "FixedPicker",
    "Helper",
    "Pick",
    "PickInfo",
    "Picked",
    "Picker",
    "Policy",
    "PolicyConfig",
    "PolicyMetric",
    "Queue",
    "QueuePicker",
    "Subchannel",
    "Update",
    "register",
]

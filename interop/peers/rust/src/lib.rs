//! What client and server share: the command line, payloads, load reports.

use std::collections::HashMap;

pub mod protos {
    #![allow(deprecated)]
    include!(concat!(env!("OUT_DIR"), "/protos.rs"));
}

use protos::grpc::testing::{Payload, TestOrcaReport};
use protos::xds::data::orca::v3::OrcaLoadReport;

pub const INITIAL: &str = "x-grpc-test-echo-initial";
pub const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
pub const ORCA_KEY: &str = "endpoint-load-metrics-bin";

/// The command line's flags, written `--name=value`; a bare `--name` is true.
pub fn flags() -> HashMap<String, String> {
    std::env::args()
        .skip(1)
        .map(|word| {
            let word = word.trim_start_matches('-').to_string();
            match word.split_once('=') {
                Some((name, value)) => (name.to_string(), value.to_string()),
                None => (word, "true".to_string()),
            }
        })
        .collect()
}

pub fn payload(size: i32) -> Option<Payload> {
    Some(Payload {
        body: vec![0; size as usize],
        ..Default::default()
    })
}

pub fn load(report: &TestOrcaReport) -> OrcaLoadReport {
    OrcaLoadReport {
        cpu_utilization: report.cpu_utilization,
        mem_utilization: report.memory_utilization,
        request_cost: report.request_cost.clone(),
        utilization: report.utilization.clone(),
        ..Default::default()
    }
}

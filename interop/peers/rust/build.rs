//! Generates the protos' modules.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::var("INTEROP_PROTOS")?;
    let files: Vec<String> = ["interop_test", "orca_load_report", "orca_service"]
        .iter()
        .map(|name| format!("{folder}/{name}.proto"))
        .collect();
    tonic_prost_build::configure()
        .include_file("protos.rs")
        .compile_protos(&files, &[folder])?;
    Ok(())
}

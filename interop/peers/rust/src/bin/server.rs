//! The interop test server on tonic. It takes the official program's flags, and --certificates=FOLDER.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use clarion_interop::protos::grpc::testing::test_service_server::{TestService, TestServiceServer};
use clarion_interop::protos::grpc::testing::*;
use clarion_interop::protos::xds::data::orca::v3::OrcaLoadReport;
use clarion_interop::protos::xds::service::orca::v3::open_rca_service_server::{
    OpenRcaService, OpenRcaServiceServer,
};
use clarion_interop::protos::xds::service::orca::v3::OrcaLoadReportRequest;
use clarion_interop::{flags, load, payload, INITIAL, TRAILING};
use tokio_stream::{Stream, StreamExt};
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataMap;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming};

type Answers = Pin<Box<dyn Stream<Item = Result<StreamingOutputCallResponse, Status>> + Send>>;
type Reports = Pin<Box<dyn Stream<Item = Result<OrcaLoadReport, Status>> + Send>>;

#[derive(Clone, Default)]
struct Interop {
    load: Arc<Mutex<OrcaLoadReport>>,
}

fn asked(status: &Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(status) if status.code != 0 => {
            Err(Status::new(Code::from_i32(status.code), status.message.clone()))
        }
        _ => Ok(()),
    }
}

fn echo<T>(given: &MetadataMap, response: &mut Response<T>) {
    if let Some(value) = given.get(INITIAL) {
        response.metadata_mut().insert(INITIAL, value.clone());
    }
}

fn answers(request: StreamingOutputCallRequest) -> impl Stream<Item = Result<StreamingOutputCallResponse, Status>> {
    let refusal = asked(&request.response_status).err();
    let sizes: Vec<i32> = request.response_parameters.iter().map(|each| each.size).collect();
    let items: Vec<_> = match refusal {
        Some(status) => vec![Err(status)],
        None => sizes
            .into_iter()
            .map(|size| Ok(StreamingOutputCallResponse { payload: payload(size) }))
            .collect(),
    };
    tokio_stream::iter(items)
}

#[tonic::async_trait]
impl TestService for Interop {
    async fn empty_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Ok(Response::new(Empty {}))
    }

    async fn unary_call(&self, request: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        asked(&request.get_ref().response_status)?;
        let mut response = Response::new(SimpleResponse {
            payload: payload(request.get_ref().response_size),
            ..Default::default()
        });
        echo(request.metadata(), &mut response);
        if !matches!(request.get_ref().response_compressed, Some(BoolValue { value: true })) {
            response.disable_compression();
        }
        Ok(response)
    }

    async fn cacheable_unary_call(&self, _: Request<SimpleRequest>) -> Result<Response<SimpleResponse>, Status> {
        Err(Status::unimplemented("this server has no cache"))
    }

    type StreamingOutputCallStream = Answers;

    async fn streaming_output_call(
        &self,
        request: Request<StreamingOutputCallRequest>,
    ) -> Result<Response<Answers>, Status> {
        let mut response = Response::new(Box::pin(answers(request.into_inner())) as Answers);
        response.disable_compression();
        Ok(response)
    }

    async fn streaming_input_call(
        &self,
        request: Request<Streaming<StreamingInputCallRequest>>,
    ) -> Result<Response<StreamingInputCallResponse>, Status> {
        let mut requests = request.into_inner();
        let mut size = 0;
        while let Some(request) = requests.message().await? {
            size += request.payload.map_or(0, |payload| payload.body.len()) as i32;
        }
        Ok(Response::new(StreamingInputCallResponse { aggregated_payload_size: size }))
    }

    type FullDuplexCallStream = Answers;

    async fn full_duplex_call(
        &self,
        request: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let given = request.metadata().clone();
        let trailing = given.get_bin(TRAILING).cloned();
        let mut requests = request.into_inner();
        let shared = self.load.clone();
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                let Ok(request) = request else { return };
                if let Some(report) = &request.orca_oob_report {
                    *shared.lock().unwrap() = load(report);
                }
                let mut found = Box::pin(answers(request));
                while let Some(answer) = found.next().await {
                    let ended = answer.is_err();
                    if sender.send(answer).await.is_err() || ended {
                        return;
                    }
                }
            }
            // Trailing metadata goes with a status, also with the status of success.
            if let Some(value) = trailing {
                let mut metadata = MetadataMap::new();
                metadata.insert_bin(TRAILING, value);
                let _ = sender.send(Err(Status::with_metadata(Code::Ok, "", metadata))).await;
            }
        });
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let mut response = Response::new(Box::pin(stream) as Answers);
        echo(&given, &mut response);
        response.disable_compression();
        Ok(response)
    }

    type HalfDuplexCallStream = Answers;

    async fn half_duplex_call(
        &self,
        _: Request<Streaming<StreamingOutputCallRequest>>,
    ) -> Result<Response<Answers>, Status> {
        Err(Status::unimplemented("no case uses it"))
    }

    async fn unimplemented_call(&self, _: Request<Empty>) -> Result<Response<Empty>, Status> {
        Err(Status::unimplemented("as the name says"))
    }
}

#[tonic::async_trait]
impl OpenRcaService for Interop {
    type StreamCoreMetricsStream = Reports;

    async fn stream_core_metrics(
        &self,
        _: Request<OrcaLoadReportRequest>,
    ) -> Result<Response<Reports>, Status> {
        let shared = self.load.clone();
        let ticks = tokio::time::interval(Duration::from_millis(100));
        let ticks = tokio_stream::wrappers::IntervalStream::new(ticks);
        let reports = ticks.map(move |_| Ok(shared.lock().unwrap().clone()));
        Ok(Response::new(Box::pin(reports)))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let given = flags();
    let address: SocketAddr = format!("127.0.0.1:{}", given["port"]).parse()?;
    let mut builder = Server::builder();
    if given.get("use_tls").is_some_and(|value| value == "true") {
        let folder = &given["certificates"];
        let certificate = std::fs::read_to_string(format!("{folder}/server1.pem"))?;
        let key = std::fs::read_to_string(format!("{folder}/server1.key"))?;
        let identity = Identity::from_pem(certificate, key);
        builder = builder.tls_config(ServerTlsConfig::new().identity(identity))?;
    }
    let interop = Interop::default();
    let tests = TestServiceServer::new(interop.clone())
        .accept_compressed(CompressionEncoding::Gzip)
        .send_compressed(CompressionEncoding::Gzip);
    println!("listening on {}", given["port"]);
    builder
        .add_service(tests)
        .add_service(OpenRcaServiceServer::new(interop))
        .serve(address)
        .await?;
    Ok(())
}

//! The interop test client on tonic: one case, exit status 0 if it passed. It takes the official program's flags.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clarion_interop::protos::grpc::testing::test_service_client::TestServiceClient;
use clarion_interop::protos::grpc::testing::unimplemented_service_client::UnimplementedServiceClient;
use clarion_interop::protos::grpc::testing::*;
use clarion_interop::protos::xds::data::orca::v3::OrcaLoadReport;
use clarion_interop::protos::xds::service::orca::v3::open_rca_service_client::OpenRcaServiceClient;
use clarion_interop::protos::xds::service::orca::v3::OrcaLoadReportRequest;
use clarion_interop::{flags, load, payload, INITIAL, ORCA_KEY, TRAILING};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::CompressionEncoding;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status, Streaming};

type Failure = Box<dyn std::error::Error + Send + Sync>;
type Client = TestServiceClient<Channel>;

const REQUESTS: [i32; 4] = [27182, 8, 1828, 45904];
const RESPONSES: [i32; 4] = [31415, 9, 2653, 58979];
const REQUEST: i32 = 271828;
const RESPONSE: i32 = 314159;

fn check(holds: bool, what: &str) -> Result<(), Failure> {
    if holds {
        Ok(())
    } else {
        Err(what.into())
    }
}

fn refused<T>(result: Result<T, Status>, code: Code) -> Result<Status, Failure> {
    match result {
        Ok(_) => Err(format!("the call succeeded, expected {code:?}").into()),
        Err(status) if status.code() == code => Ok(status),
        Err(status) => Err(format!("the call ended with {status:?}, expected {code:?}").into()),
    }
}

async fn connect(given: &HashMap<String, String>) -> Result<Channel, Failure> {
    let secure = given.get("use_tls").is_some_and(|value| value == "true");
    let scheme = if secure { "https" } else { "http" };
    let address = format!("{scheme}://{}:{}", given["server_host"], given["server_port"]);
    let mut endpoint = Endpoint::from_shared(address)?;
    if secure {
        let pem = std::fs::read_to_string(&given["ca_file"])?;
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
        if let Some(name) = given.get("server_host_override") {
            tls = tls.domain_name(name.clone());
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    Ok(endpoint.connect().await?)
}

fn large() -> SimpleRequest {
    SimpleRequest {
        response_size: RESPONSE,
        payload: payload(REQUEST),
        ..Default::default()
    }
}

fn body(response: Option<Payload>) -> usize {
    response.map_or(0, |payload| payload.body.len())
}

async fn large_unary(mut client: Client) -> Result<(), Failure> {
    let response = client.unary_call(large()).await?.into_inner();
    check(body(response.payload) == RESPONSE as usize, "payload size")
}

fn duplex(ask: i32, answer: i32) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters { size: answer, ..Default::default() }],
        payload: payload(ask),
        ..Default::default()
    }
}

async fn size(stream: &mut Streaming<StreamingOutputCallResponse>, wanted: i32) -> Result<(), Failure> {
    let response = stream.message().await?.ok_or("a response is missing")?;
    check(body(response.payload) == wanted as usize, "response size")
}

async fn nothing(stream: &mut Streaming<StreamingOutputCallResponse>) -> Result<(), Failure> {
    check(stream.message().await?.is_none(), "a response too many")
}

async fn cacheable_unary(mut client: Client) -> Result<(), Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos().to_string();
    let mut found = Vec::new();
    for _ in 0..2 {
        let mut request = Request::new(SimpleRequest {
            payload: Some(Payload { body: now.clone().into_bytes(), ..Default::default() }),
            ..Default::default()
        });
        request.metadata_mut().insert("x-user-ip", "1.2.3.4".parse()?);
        found.push(client.cacheable_unary_call(request).await?.into_inner().payload);
    }
    check(found[0] == found[1], "the second payload differs")
}

fn flag(value: bool) -> Option<BoolValue> {
    Some(BoolValue { value })
}

async fn client_compressed_unary(client: Client) -> Result<(), Failure> {
    let expecting = SimpleRequest { expect_compressed: flag(true), ..large() };
    let mut packing = client.clone().send_compressed(CompressionEncoding::Gzip);
    let mut plain = client;
    refused(plain.unary_call(expecting.clone()).await, Code::InvalidArgument)?;
    let response = packing.unary_call(expecting).await?.into_inner();
    check(body(response.payload) == RESPONSE as usize, "payload size")?;
    let request = SimpleRequest { expect_compressed: flag(false), ..large() };
    let response = plain.unary_call(request).await?.into_inner();
    check(body(response.payload) == RESPONSE as usize, "payload size")
}

async fn server_compressed_unary(client: Client) -> Result<(), Failure> {
    let mut client = client.accept_compressed(CompressionEncoding::Gzip);
    for wanted in [true, false] {
        let request = SimpleRequest { response_compressed: flag(wanted), ..large() };
        let response = client.unary_call(request).await?;
        let encoded = response.metadata().get("grpc-encoding").is_some();
        check(encoded == wanted, "grpc-encoding")?;
        check(body(response.into_inner().payload) == RESPONSE as usize, "payload size")?;
    }
    Ok(())
}

async fn server_compressed_streaming(client: Client) -> Result<(), Failure> {
    let mut client = client.accept_compressed(CompressionEncoding::Gzip);
    let parameters = [(31415, true), (92653, false)].map(|(size, wanted)| ResponseParameters {
        size,
        compressed: flag(wanted),
        ..Default::default()
    });
    let request = StreamingOutputCallRequest {
        response_parameters: parameters.to_vec(),
        ..Default::default()
    };
    let mut stream = client.streaming_output_call(request).await?.into_inner();
    size(&mut stream, 31415).await?;
    size(&mut stream, 92653).await?;
    nothing(&mut stream).await
}

async fn client_streaming(mut client: Client) -> Result<(), Failure> {
    let requests = REQUESTS.map(|size| StreamingInputCallRequest {
        payload: payload(size),
        ..Default::default()
    });
    let response = client.streaming_input_call(tokio_stream::iter(requests)).await?.into_inner();
    check(response.aggregated_payload_size == 74922, "aggregated size")
}

async fn server_streaming(mut client: Client) -> Result<(), Failure> {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSES
            .map(|size| ResponseParameters { size, ..Default::default() })
            .to_vec(),
        ..Default::default()
    };
    let mut stream = client.streaming_output_call(request).await?.into_inner();
    for wanted in RESPONSES {
        size(&mut stream, wanted).await?;
    }
    nothing(&mut stream).await
}

async fn ping_pong(mut client: Client) -> Result<(), Failure> {
    let (sender, receiver) = mpsc::channel(1);
    sender.send(duplex(REQUESTS[0], RESPONSES[0])).await?;
    let mut stream = client.full_duplex_call(ReceiverStream::new(receiver)).await?.into_inner();
    size(&mut stream, RESPONSES[0]).await?;
    for index in 1..4 {
        sender.send(duplex(REQUESTS[index], RESPONSES[index])).await?;
        size(&mut stream, RESPONSES[index]).await?;
    }
    drop(sender);
    nothing(&mut stream).await
}

async fn empty_stream(mut client: Client) -> Result<(), Failure> {
    let mut stream = client.full_duplex_call(tokio_stream::empty()).await?.into_inner();
    nothing(&mut stream).await
}

fn with_echo<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    let metadata = request.metadata_mut();
    metadata.insert(INITIAL, MetadataValue::from_static("test_initial_metadata_value"));
    metadata.insert_bin(TRAILING, MetadataValue::from_bytes(b"\xab\xab\xab"));
    request
}

fn check_initial(metadata: &MetadataMap) -> Result<(), Failure> {
    let found = metadata.get(INITIAL).ok_or("no initial metadata")?;
    check(found == "test_initial_metadata_value", "initial metadata")
}

fn check_trailing(metadata: &MetadataMap) -> Result<(), Failure> {
    let found = metadata.get_bin(TRAILING).ok_or("no trailing metadata")?.to_bytes()?;
    check(found.as_ref() == b"\xab\xab\xab", "trailing metadata")
}

async fn custom_metadata(mut client: Client) -> Result<(), Failure> {
    // A unary response's metadata has the trailers in it.
    let response = client.unary_call(with_echo(large())).await?;
    check_initial(response.metadata())?;
    check_trailing(response.metadata())?;
    let requests = tokio_stream::once(duplex(REQUEST, RESPONSE));
    let response = client.full_duplex_call(with_echo(requests)).await?;
    check_initial(response.metadata())?;
    let mut stream = response.into_inner();
    size(&mut stream, RESPONSE).await?;
    nothing(&mut stream).await?;
    check_trailing(&stream.trailers().await?.ok_or("no trailers")?)
}

async fn check_status(mut client: Client, message: &str, streaming: bool) -> Result<(), Failure> {
    let wanted = Some(EchoStatus { code: 2, message: message.to_string() });
    let request = SimpleRequest { response_status: wanted.clone(), ..Default::default() };
    let status = refused(client.unary_call(request).await, Code::Unknown)?;
    check(status.message() == message, "status message")?;
    if streaming {
        let request = StreamingOutputCallRequest { response_status: wanted, ..Default::default() };
        let result = match client.full_duplex_call(tokio_stream::once(request)).await {
            Ok(response) => response.into_inner().message().await.map(|_| ()),
            Err(status) => Err(status),
        };
        let status = refused(result, Code::Unknown)?;
        check(status.message() == message, "status message of the stream")?;
    }
    Ok(())
}

async fn timeout_on_sleeping_server(mut client: Client) -> Result<(), Failure> {
    // A sender that stays keeps the call open.
    let (sender, receiver) = mpsc::channel(1);
    let request = StreamingOutputCallRequest { payload: payload(27182), ..Default::default() };
    sender.send(request).await?;
    let mut call = Request::new(ReceiverStream::new(receiver));
    call.set_timeout(Duration::from_millis(1));
    let status = match client.full_duplex_call(call).await {
        Ok(response) => response.into_inner().message().await.err(),
        Err(status) => Some(status),
    };
    let code = status.map(|status| status.code());
    check(
        matches!(code, Some(Code::DeadlineExceeded)),
        &format!("the call ended with {code:?}"),
    )
}

fn wanted_report() -> TestOrcaReport {
    TestOrcaReport {
        cpu_utilization: 0.8210,
        memory_utilization: 0.5847,
        request_cost: HashMap::from([("cost".to_string(), 3456.32)]),
        utilization: HashMap::from([("util".to_string(), 0.30499)]),
    }
}

async fn orca_per_rpc(mut client: Client) -> Result<(), Failure> {
    let request = SimpleRequest {
        orca_per_query_report: Some(wanted_report()),
        ..Default::default()
    };
    let response = client.unary_call(request).await?;
    let data = response.metadata().get_bin(ORCA_KEY).ok_or("no load report came")?.to_bytes()?;
    check(OrcaLoadReport::decode(data)? == load(&wanted_report()), "the load report differs")
}

async fn orca_oob(mut client: Client, channel: Channel) -> Result<(), Failure> {
    let ask = OrcaLoadReportRequest {
        report_interval: Some(prost_types::Duration { seconds: 0, nanos: 100_000_000 }),
        ..Default::default()
    };
    let (sender, receiver) = mpsc::channel(1);
    let steps = [(0.8210, 0.5847, 0.30499), (0.29309, 0.2, 0.2039)].map(|(cpu, memory, utilization)| {
        TestOrcaReport {
            cpu_utilization: cpu,
            memory_utilization: memory,
            utilization: HashMap::from([("util".to_string(), utilization)]),
            ..Default::default()
        }
    });
    let asking = |report: &TestOrcaReport| StreamingOutputCallRequest {
        response_parameters: vec![ResponseParameters { size: 1, ..Default::default() }],
        orca_oob_report: Some(report.clone()),
        ..Default::default()
    };
    sender.send(asking(&steps[0])).await?;
    let mut stream = client.full_duplex_call(ReceiverStream::new(receiver)).await?.into_inner();
    let mut reporting = OpenRcaServiceClient::new(channel);
    let mut reports = reporting.stream_core_metrics(ask).await?.into_inner();
    for (index, report) in steps.iter().enumerate() {
        if index > 0 {
            sender.send(asking(report)).await?;
        }
        size(&mut stream, 1).await?;
        while reports.message().await?.ok_or("the reports ended")? != load(report) {}
    }
    drop(sender);
    nothing(&mut stream).await
}

async fn run(given: &HashMap<String, String>) -> Result<(), Failure> {
    let channel = connect(given).await?;
    let new = |channel: Channel| Client::new(channel).max_decoding_message_size(usize::MAX);
    let mut client = new(channel.clone());
    let number = |flag: &str, otherwise: usize| given.get(flag).map_or(Ok(otherwise), |text| text.parse());
    let iterations = number("soak_iterations", 10)?;
    let calls = number("concurrent_calls", 1000)?;
    match given["test_case"].as_str() {
        "empty_unary" => client.empty_call(Empty {}).await.map(|_| ()).map_err(Into::into),
        "cacheable_unary" => cacheable_unary(client).await,
        "large_unary" => large_unary(client).await,
        "client_compressed_unary" => client_compressed_unary(client).await,
        "server_compressed_unary" => server_compressed_unary(client).await,
        "server_compressed_streaming" => server_compressed_streaming(client).await,
        "client_streaming" => client_streaming(client).await,
        "server_streaming" => server_streaming(client).await,
        "ping_pong" => ping_pong(client).await,
        "empty_stream" => empty_stream(client).await,
        "custom_metadata" => custom_metadata(client).await,
        "status_code_and_message" => check_status(client, "test status message", true).await,
        "special_status_message" => {
            let text = "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";
            check_status(client, text, false).await
        }
        "unimplemented_method" => {
            refused(client.unimplemented_call(Empty {}).await, Code::Unimplemented).map(|_| ())
        }
        "unimplemented_service" => {
            let mut other = UnimplementedServiceClient::new(channel);
            refused(other.unimplemented_call(Empty {}).await, Code::Unimplemented).map(|_| ())
        }
        "timeout_on_sleeping_server" => timeout_on_sleeping_server(client).await,
        "rpc_soak" => {
            for _ in 0..iterations {
                large_unary(client.clone()).await?;
            }
            Ok(())
        }
        "channel_soak" => {
            for _ in 0..iterations {
                large_unary(new(connect(given).await?)).await?;
            }
            Ok(())
        }
        "concurrent_large_unary" => {
            for made in (0..calls).step_by(100) {
                let round = 0..(calls - made).min(100);
                let running: Vec<_> = round.map(|_| tokio::spawn(large_unary(client.clone()))).collect();
                for call in running {
                    call.await??;
                }
            }
            Ok(())
        }
        "long_lived_channel" => {
            for _ in 0..5 {
                large_unary(client.clone()).await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            Ok(())
        }
        "orca_per_rpc" => orca_per_rpc(client).await,
        "orca_oob" => orca_oob(client, channel).await,
        other => Err(format!("this program has no case {other}").into()),
    }
}

#[tokio::main]
async fn main() {
    let given = flags();
    if let Err(error) = run(&given).await {
        eprintln!("{}: {error}", given["test_case"]);
        std::process::exit(1);
    }
    println!("{}: passed", given["test_case"]);
}

// The interop test client on grpc++: one case, exit status 0 if it passed. It takes the official program's flags.
#include <chrono>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common.h"
#include "interop_test.grpc.pb.h"
#include "orca_service.grpc.pb.h"

using grpc::ClientContext;
using grpc::Status;
using grpc::StatusCode;
using namespace grpc::testing;
using xds::data::orca::v3::OrcaLoadReport;

namespace {

using Stub = TestService::Stub;

constexpr int kRequest = 271828;
constexpr int kResponse = 314159;
const std::vector<int> kRequests = {27182, 8, 1828, 45904};
const std::vector<int> kResponses = {31415, 9, 2653, 58979};

std::map<std::string, std::string> given;

void Check(bool holds, const std::string& what) {
  if (!holds) throw std::runtime_error(what);
}

void Ended(const Status& status, StatusCode code = StatusCode::OK) {
  Check(status.error_code() == code, "the call ended with " + std::to_string(status.error_code()) +
                                         " (" + status.error_message() + "), expected " +
                                         std::to_string(code));
}

std::shared_ptr<grpc::Channel> Connect() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt("grpc.use_local_subchannel_pool", 1);
  arguments.SetInt("grpc.enable_http_proxy", 0);
  auto credentials = grpc::InsecureChannelCredentials();
  if (given["use_tls"] == "true") {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = contents(given["ca_file"]);
    credentials = grpc::SslCredentials(options);
    if (!given["server_host_override"].empty()) {
      arguments.SetSslTargetNameOverride(given["server_host_override"]);
    }
  }
  return grpc::CreateCustomChannel(given["server_host"] + ":" + given["server_port"], credentials,
                                   arguments);
}

SimpleRequest Large() {
  SimpleRequest request;
  request.set_response_size(kResponse);
  fill(request.mutable_payload(), kRequest);
  return request;
}

SimpleResponse Call(Stub& stub, const SimpleRequest& request, ClientContext* context,
                    StatusCode code = StatusCode::OK) {
  SimpleResponse response;
  Ended(stub.UnaryCall(context, request, &response), code);
  if (code == StatusCode::OK) {
    Check(int(response.payload().body().size()) == request.response_size(), "payload size");
  }
  return response;
}

void LargeUnary(Stub& stub) {
  ClientContext context;
  Call(stub, Large(), &context);
}

StreamingOutputCallRequest Duplex(int ask, int answer) {
  StreamingOutputCallRequest request;
  request.add_response_parameters()->set_size(answer);
  fill(request.mutable_payload(), ask);
  return request;
}

template <class Reader>
void Size(Reader& reader, int size) {
  StreamingOutputCallResponse response;
  Check(reader.Read(&response), "a response is missing");
  Check(int(response.payload().body().size()) == size, "response size");
}

template <class Reader>
void Nothing(Reader& reader) {
  StreamingOutputCallResponse response;
  Check(!reader.Read(&response), "a response too many");
}

void EmptyUnary(Stub& stub) {
  ClientContext context;
  Empty response;
  Ended(stub.EmptyCall(&context, Empty(), &response));
}

void CacheableUnary(Stub& stub) {
  SimpleRequest request;
  auto now = std::chrono::system_clock::now().time_since_epoch().count();
  request.mutable_payload()->set_body(std::to_string(now));
  std::string bodies[2];
  for (auto& body : bodies) {
    ClientContext context;
    context.AddMetadata("x-user-ip", "1.2.3.4");
    SimpleResponse response;
    Ended(stub.CacheableUnaryCall(&context, request, &response));
    body = response.payload().body();
  }
  Check(bodies[0] == bodies[1], "the second payload differs");
}

void ClientCompressedUnary(Stub& stub) {
  for (int step = 0; step < 3; ++step) {
    SimpleRequest request = Large();
    request.mutable_expect_compressed()->set_value(step < 2);
    ClientContext context;
    context.set_compression_algorithm(step == 1 ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE);
    Call(stub, request, &context, step == 0 ? StatusCode::INVALID_ARGUMENT : StatusCode::OK);
  }
}

void ServerCompressedUnary(Stub& stub) {
  for (bool compressed : {true, false}) {
    SimpleRequest request = Large();
    request.mutable_response_compressed()->set_value(compressed);
    ClientContext context;
    Call(stub, request, &context);
  }
}

StreamingInputCallRequest Input(int size, bool compressed) {
  StreamingInputCallRequest request;
  fill(request.mutable_payload(), size);
  request.mutable_expect_compressed()->set_value(compressed);
  return request;
}

void ClientCompressedStreaming(Stub& stub) {
  {
    ClientContext context;
    context.set_compression_algorithm(GRPC_COMPRESS_NONE);
    StreamingInputCallResponse response;
    auto writer = stub.StreamingInputCall(&context, &response);
    if (writer->Write(Input(27182, true))) writer->WritesDone();
    Ended(writer->Finish(), StatusCode::INVALID_ARGUMENT);
  }
  ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  StreamingInputCallResponse response;
  auto writer = stub.StreamingInputCall(&context, &response);
  Check(writer->Write(Input(27182, true)), "the first request");
  Check(writer->Write(Input(45904, false), grpc::WriteOptions().set_no_compression()),
        "the second request");
  writer->WritesDone();
  Ended(writer->Finish());
  Check(response.aggregated_payload_size() == 73086, "aggregated size");
}

void ClientStreaming(Stub& stub) {
  ClientContext context;
  StreamingInputCallResponse response;
  auto writer = stub.StreamingInputCall(&context, &response);
  for (int size : kRequests) {
    StreamingInputCallRequest request;
    fill(request.mutable_payload(), size);
    Check(writer->Write(request), "a request could not be written");
  }
  writer->WritesDone();
  Ended(writer->Finish());
  Check(response.aggregated_payload_size() == 74922, "aggregated size");
}

void ServerStreaming(Stub& stub) {
  StreamingOutputCallRequest request;
  for (int size : kResponses) request.add_response_parameters()->set_size(size);
  ClientContext context;
  auto reader = stub.StreamingOutputCall(&context, request);
  for (int size : kResponses) Size(*reader, size);
  Nothing(*reader);
  Ended(reader->Finish());
}

void ServerCompressedStreaming(Stub& stub) {
  StreamingOutputCallRequest request;
  for (auto [size, compressed] : {std::pair(31415, true), std::pair(92653, false)}) {
    auto* parameters = request.add_response_parameters();
    parameters->set_size(size);
    parameters->mutable_compressed()->set_value(compressed);
  }
  ClientContext context;
  auto reader = stub.StreamingOutputCall(&context, request);
  Size(*reader, 31415);
  Size(*reader, 92653);
  Nothing(*reader);
  Ended(reader->Finish());
}

void PingPong(Stub& stub) {
  ClientContext context;
  auto stream = stub.FullDuplexCall(&context);
  for (size_t index = 0; index < kRequests.size(); ++index) {
    Check(stream->Write(Duplex(kRequests[index], kResponses[index])), "a request");
    Size(*stream, kResponses[index]);
  }
  stream->WritesDone();
  Nothing(*stream);
  Ended(stream->Finish());
}

void EmptyStream(Stub& stub) {
  ClientContext context;
  auto stream = stub.FullDuplexCall(&context);
  stream->WritesDone();
  Nothing(*stream);
  Ended(stream->Finish());
}

void AddEcho(ClientContext* context) {
  context->AddMetadata("x-grpc-test-echo-initial", "test_initial_metadata_value");
  context->AddMetadata("x-grpc-test-echo-trailing-bin", "\xab\xab\xab");
}

void CheckEcho(const ClientContext& context) {
  const auto& initial = context.GetServerInitialMetadata();
  auto first = initial.find("x-grpc-test-echo-initial");
  Check(first != initial.end() && first->second == "test_initial_metadata_value", "initial");
  const auto& trailing = context.GetServerTrailingMetadata();
  auto last = trailing.find("x-grpc-test-echo-trailing-bin");
  Check(last != trailing.end() && last->second == "\xab\xab\xab", "trailing");
}

void CustomMetadata(Stub& stub) {
  ClientContext unary;
  AddEcho(&unary);
  Call(stub, Large(), &unary);
  CheckEcho(unary);
  ClientContext streaming;
  AddEcho(&streaming);
  auto stream = stub.FullDuplexCall(&streaming);
  Check(stream->Write(Duplex(kRequest, kResponse)), "a request");
  stream->WritesDone();
  Size(*stream, kResponse);
  Nothing(*stream);
  Ended(stream->Finish());
  CheckEcho(streaming);
}

void CheckStatus(Stub& stub, const std::string& message, bool streaming) {
  SimpleRequest request;
  request.mutable_response_status()->set_code(2);
  request.mutable_response_status()->set_message(message);
  ClientContext unary;
  SimpleResponse response;
  Status status = stub.UnaryCall(&unary, request, &response);
  Ended(status, StatusCode::UNKNOWN);
  Check(status.error_message() == message, "the status message differs");
  if (!streaming) return;
  ClientContext context;
  auto stream = stub.FullDuplexCall(&context);
  StreamingOutputCallRequest ask;
  *ask.mutable_response_status() = request.response_status();
  stream->Write(ask);
  stream->WritesDone();
  Nothing(*stream);
  status = stream->Finish();
  Ended(status, StatusCode::UNKNOWN);
  Check(status.error_message() == message, "the status message of the stream differs");
}

void UnimplementedMethod(Stub& stub) {
  ClientContext context;
  Empty response;
  Ended(stub.UnimplementedCall(&context, Empty(), &response), StatusCode::UNIMPLEMENTED);
}

void UnimplementedServiceCase(Stub&) {
  ClientContext context;
  Empty response;
  auto stub = UnimplementedService::NewStub(Connect());
  Ended(stub->UnimplementedCall(&context, Empty(), &response), StatusCode::UNIMPLEMENTED);
}

void CancelAfterBegin(Stub& stub) {
  ClientContext context;
  StreamingInputCallResponse response;
  auto writer = stub.StreamingInputCall(&context, &response);
  context.TryCancel();
  Ended(writer->Finish(), StatusCode::CANCELLED);
}

void CancelAfterFirstResponse(Stub& stub) {
  ClientContext context;
  auto stream = stub.FullDuplexCall(&context);
  Check(stream->Write(Duplex(27182, 31415)), "a request");
  Size(*stream, 31415);
  context.TryCancel();
  Nothing(*stream);
  Ended(stream->Finish(), StatusCode::CANCELLED);
}

void TimeoutOnSleepingServer(Stub& stub) {
  ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(1));
  auto stream = stub.FullDuplexCall(&context);
  StreamingOutputCallRequest request;
  fill(request.mutable_payload(), 27182);
  stream->Write(request);
  Nothing(*stream);
  Ended(stream->Finish(), StatusCode::DEADLINE_EXCEEDED);
}

int Number(const std::string& flag, int otherwise) {
  const auto& text = given[flag];
  return text.empty() ? otherwise : std::stoi(text);
}

int Iterations() { return Number("soak_iterations", 10); }

void RpcSoak(Stub& stub) {
  for (int done = 0; done < Iterations(); ++done) LargeUnary(stub);
}

void ChannelSoak(Stub&) {
  for (int done = 0; done < Iterations(); ++done) LargeUnary(*TestService::NewStub(Connect()));
}

void ConcurrentLargeUnary(Stub& stub) {
  constexpr int kThreads = 20;
  const int share = Number("concurrent_calls", 1000) / kThreads;
  std::vector<std::string> failures(kThreads);
  std::vector<std::thread> threads;
  for (auto& failure : failures) {
    threads.emplace_back([&] {
      try {
        for (int done = 0; done < share; ++done) LargeUnary(stub);
      } catch (const std::exception& error) {
        failure = error.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& failure : failures) Check(failure.empty(), failure);
}

void LongLivedChannel(Stub& stub) {
  for (int done = 0; done < 5; ++done) {
    LargeUnary(stub);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
}

OrcaLoadReport Wanted(double cpu, double memory, double utilization) {
  OrcaLoadReport report;
  report.set_cpu_utilization(cpu);
  report.set_mem_utilization(memory);
  (*report.mutable_utilization())["util"] = utilization;
  return report;
}

bool Same(const OrcaLoadReport& left, const OrcaLoadReport& right) {
  auto one = left.utilization().find("util"), other = right.utilization().find("util");
  return left.cpu_utilization() == right.cpu_utilization() &&
         left.mem_utilization() == right.mem_utilization() &&
         one != left.utilization().end() && other != right.utilization().end() &&
         one->second == other->second;
}

void OrcaPerRpc(Stub& stub) {
  SimpleRequest request;
  auto* report = request.mutable_orca_per_query_report();
  report->set_cpu_utilization(0.8210);
  report->set_memory_utilization(0.5847);
  (*report->mutable_utilization())["util"] = 0.30499;
  ClientContext context;
  Call(stub, request, &context);
  const auto& trailing = context.GetServerTrailingMetadata();
  auto found = trailing.find("endpoint-load-metrics-bin");
  Check(found != trailing.end(), "no load report came");
  OrcaLoadReport parsed;
  parsed.ParseFromString(std::string(found->second.data(), found->second.size()));
  Check(Same(parsed, Wanted(0.8210, 0.5847, 0.30499)), "the load report differs");
}

void OrcaOob(Stub& stub) {
  ClientContext context, reporting;
  auto stream = stub.FullDuplexCall(&context);
  xds::service::orca::v3::OrcaLoadReportRequest ask;
  ask.mutable_report_interval()->set_nanos(100000000);
  auto service = xds::service::orca::v3::OpenRcaService::NewStub(Connect());
  auto reports = service->StreamCoreMetrics(&reporting, ask);
  const double steps[2][3] = {{0.8210, 0.5847, 0.30499}, {0.29309, 0.2, 0.2039}};
  for (const auto& step : steps) {
    StreamingOutputCallRequest request;
    request.add_response_parameters()->set_size(1);
    auto* report = request.mutable_orca_oob_report();
    report->set_cpu_utilization(step[0]);
    report->set_memory_utilization(step[1]);
    (*report->mutable_utilization())["util"] = step[2];
    Check(stream->Write(request), "a request");
    Size(*stream, 1);
    OrcaLoadReport found;
    do {
      Check(reports->Read(&found), "the reports ended");
    } while (!Same(found, Wanted(step[0], step[1], step[2])));
  }
  reporting.TryCancel();
  reports->Finish();
  stream->WritesDone();
  Nothing(*stream);
  Ended(stream->Finish());
}

const std::map<std::string, std::function<void(Stub&)>> kCases = {
    {"empty_unary", EmptyUnary},
    {"cacheable_unary", CacheableUnary},
    {"large_unary", LargeUnary},
    {"client_compressed_unary", ClientCompressedUnary},
    {"server_compressed_unary", ServerCompressedUnary},
    {"client_streaming", ClientStreaming},
    {"client_compressed_streaming", ClientCompressedStreaming},
    {"server_streaming", ServerStreaming},
    {"server_compressed_streaming", ServerCompressedStreaming},
    {"ping_pong", PingPong},
    {"empty_stream", EmptyStream},
    {"custom_metadata", CustomMetadata},
    {"status_code_and_message",
     [](Stub& stub) { CheckStatus(stub, "test status message", true); }},
    {"special_status_message",
     [](Stub& stub) {
       CheckStatus(stub,
                   "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP "
                   "\xf0\x9f\x98\x88\t\n",
                   false);
     }},
    {"unimplemented_method", UnimplementedMethod},
    {"unimplemented_service", UnimplementedServiceCase},
    {"cancel_after_begin", CancelAfterBegin},
    {"cancel_after_first_response", CancelAfterFirstResponse},
    {"timeout_on_sleeping_server", TimeoutOnSleepingServer},
    {"rpc_soak", RpcSoak},
    {"channel_soak", ChannelSoak},
    {"concurrent_large_unary", ConcurrentLargeUnary},
    {"long_lived_channel", LongLivedChannel},
    {"orca_per_rpc", OrcaPerRpc},
    {"orca_oob", OrcaOob},
};

}  // namespace

int main(int count, char** words) {
  given = flags(count, words);
  const std::string name = given["test_case"];
  auto found = kCases.find(name);
  if (found == kCases.end()) {
    std::cerr << "this program has no case " << name << std::endl;
    return 1;
  }
  try {
    auto stub = TestService::NewStub(Connect());
    found->second(*stub);
  } catch (const std::exception& error) {
    std::cerr << name << ": " << error.what() << std::endl;
    return 1;
  }
  std::cout << name << ": passed" << std::endl;
  return 0;
}

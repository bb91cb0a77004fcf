// The interop test server on grpc++. It takes the official program's flags, and --certificates=FOLDER.
#include <atomic>
#include <chrono>
#include <csignal>
#include <iostream>
#include <mutex>
#include <thread>
#include <vector>

#include <grpcpp/grpcpp.h>

#include "common.h"
#include "interop_test.grpc.pb.h"
#include "orca_service.grpc.pb.h"

using grpc::ServerContext;
using grpc::Status;
using namespace grpc::testing;
using xds::data::orca::v3::OrcaLoadReport;

static std::atomic<bool> ended{false};

static void EchoMetadata(ServerContext* context) {
  const auto& given = context->client_metadata();
  auto initial = given.find("x-grpc-test-echo-initial");
  if (initial != given.end()) {
    context->AddInitialMetadata("x-grpc-test-echo-initial",
                                std::string(initial->second.data(), initial->second.size()));
  }
  auto trailing = given.find("x-grpc-test-echo-trailing-bin");
  if (trailing != given.end()) {
    context->AddTrailingMetadata("x-grpc-test-echo-trailing-bin",
                                 std::string(trailing->second.data(), trailing->second.size()));
  }
}

static OrcaLoadReport Load(const TestOrcaReport& report) {
  OrcaLoadReport load;
  load.set_cpu_utilization(report.cpu_utilization());
  load.set_mem_utilization(report.memory_utilization());
  *load.mutable_request_cost() = report.request_cost();
  *load.mutable_utilization() = report.utilization();
  return load;
}

class Reports final : public xds::service::orca::v3::OpenRcaService::Service {
 public:
  void Set(const OrcaLoadReport& load) {
    std::lock_guard<std::mutex> hold(lock_);
    load_ = load;
  }

  Status StreamCoreMetrics(ServerContext* context,
                           const xds::service::orca::v3::OrcaLoadReportRequest* request,
                           grpc::ServerWriter<OrcaLoadReport>* writer) override {
    auto interval = std::chrono::seconds(request->report_interval().seconds()) +
                    std::chrono::nanoseconds(request->report_interval().nanos());
    interval = std::max<decltype(interval)>(interval, std::chrono::milliseconds(50));
    while (!context->IsCancelled() && !ended) {
      OrcaLoadReport load;
      {
        std::lock_guard<std::mutex> hold(lock_);
        load = load_;
      }
      if (!writer->Write(load)) break;
      std::this_thread::sleep_for(interval);
    }
    return Status::OK;
  }

 private:
  std::mutex lock_;
  OrcaLoadReport load_;
};

class Test final : public TestService::Service {
 public:
  explicit Test(Reports* reports) : reports_(reports) {}

  Status EmptyCall(ServerContext*, const Empty*, Empty*) override { return Status::OK; }

  Status UnaryCall(ServerContext* context, const SimpleRequest* request,
                   SimpleResponse* response) override {
    EchoMetadata(context);
    if (request->response_compressed().value()) {
      context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
    if (request->has_orca_per_query_report()) {
      context->AddTrailingMetadata("endpoint-load-metrics-bin",
                                   Load(request->orca_per_query_report()).SerializeAsString());
    }
    if (request->response_status().code() != 0) return Asked(request->response_status());
    fill(response->mutable_payload(), request->response_size());
    return Status::OK;
  }

  Status StreamingOutputCall(ServerContext* context, const StreamingOutputCallRequest* request,
                             grpc::ServerWriter<StreamingOutputCallResponse>* writer) override {
    for (const auto& each : request->response_parameters()) {
      if (each.compressed().value()) context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    }
    return Respond(*request, writer);
  }

  Status StreamingInputCall(ServerContext*, grpc::ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* response) override {
    StreamingInputCallRequest request;
    int size = 0;
    while (reader->Read(&request)) size += request.payload().body().size();
    response->set_aggregated_payload_size(size);
    return Status::OK;
  }

  Status FullDuplexCall(
      ServerContext* context,
      grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream)
      override {
    EchoMetadata(context);
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (request.has_orca_oob_report()) reports_->Set(Load(request.orca_oob_report()));
      Status status = Respond(request, stream);
      if (!status.ok()) return status;
    }
    return Status::OK;
  }

 private:
  static Status Asked(const EchoStatus& status) {
    return Status(static_cast<grpc::StatusCode>(status.code()), status.message());
  }

  template <class Writer>
  static Status Respond(const StreamingOutputCallRequest& request, Writer* writer) {
    if (request.response_status().code() != 0) return Asked(request.response_status());
    for (const auto& each : request.response_parameters()) {
      std::this_thread::sleep_for(std::chrono::microseconds(each.interval_us()));
      StreamingOutputCallResponse response;
      fill(response.mutable_payload(), each.size());
      grpc::WriteOptions options;
      if (!each.compressed().value()) options.set_no_compression();
      if (!writer->Write(response, options)) break;
    }
    return Status::OK;
  }

  Reports* reports_;
};

int main(int count, char** words) {
  auto given = flags(count, words);
  auto folder = given["certificates"] + "/";
  auto credentials = grpc::InsecureServerCredentials();
  if (given["use_tls"] == "true") {
    grpc::SslServerCredentialsOptions options;
    options.pem_key_cert_pairs.push_back(
        {contents(folder + "server1.key"), contents(folder + "server1.pem")});
    credentials = grpc::SslServerCredentials(options);
  }
  Reports reports;
  Test test(&reports);
  grpc::ServerBuilder builder;
  builder.AddListeningPort("localhost:" + given["port"], credentials);
  builder.RegisterService(&test);
  builder.RegisterService(&reports);
  builder.SetMaxReceiveMessageSize(-1);
  auto server = builder.BuildAndStart();
  if (!server) return 1;
  std::signal(SIGTERM, [](int) { ended = true; });
  std::cout << "listening on " << given["port"] << std::endl;
  while (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server->Shutdown(std::chrono::system_clock::now());
  return 0;
}

// The interop test client on connect-go: a line for each case, exit status 1 if one did not pass.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"clarionwebinterop/settings"
	pb "clarionwebinterop/testing"
	"clarionwebinterop/testing/testingconnect"

	"connectrpc.com/connect"
)

const special = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n"

var (
	requests  = []int{27182, 8, 1828, 45904}
	responses = []int{31415, 9, 2653, 58979}

	errUnsupported = errors.New("unsupported")
	address        string
	transport      *http.Client
)

func options(more ...connect.ClientOption) []connect.ClientOption {
	switch *settings.Protocol {
	case "grpc":
		more = append(more, connect.WithGRPC())
	case "grpc-web":
		more = append(more, connect.WithGRPCWeb())
	}
	if *settings.Codec == "json" {
		more = append(more, connect.WithProtoJSON())
	}
	return more
}

func client(more ...connect.ClientOption) testingconnect.TestServiceClient {
	return testingconnect.NewTestServiceClient(transport, address, options(more...)...)
}

// gzip that counts what it unpacks: the only sign of a compressed message that the library shows.
type counter struct {
	*gzip.Reader
	count *atomic.Int32
}

func (c *counter) Reset(source io.Reader) error {
	c.count.Add(1)
	if c.Reader == nil {
		fresh, err := gzip.NewReader(source)
		c.Reader = fresh
		return err
	}
	return c.Reader.Reset(source)
}

func (c *counter) Close() error {
	if c.Reader == nil {
		return nil
	}
	return c.Reader.Close()
}

// The library readies an unpacker with an empty source when it is made and put back; only sources with bytes count.
type source struct {
	counter
}

func (s *source) Reset(from io.Reader) error {
	head := make([]byte, 1)
	if n, _ := from.Read(head); n == 0 {
		return nil
	}
	return s.counter.Reset(io.MultiReader(bytes.NewReader(head), from))
}

func counting(count *atomic.Int32) connect.ClientOption {
	return connect.WithAcceptCompression("gzip",
		func() connect.Decompressor { return &source{counter{count: count}} },
		func() connect.Compressor { return gzip.NewWriter(io.Discard) })
}

func equal[T comparable](what string, found, wanted T) error {
	if found != wanted {
		return fmt.Errorf("%s: %v, expected %v", what, found, wanted)
	}
	return nil
}

func fails(err error, code connect.Code, message string) error {
	if err == nil {
		return errors.New("the call succeeded")
	}
	var found *connect.Error
	if !errors.As(err, &found) || found.Code() != code {
		return fmt.Errorf("%v, expected %v", err, code)
	}
	if message != "" {
		return equal("message", found.Message(), message)
	}
	return nil
}

func large(to testingconnect.TestServiceClient, fill func(*pb.SimpleRequest)) (*connect.Response[pb.SimpleResponse], error) {
	request := connect.NewRequest(&pb.SimpleRequest{ResponseSize: 314159, Payload: settings.Payload(271828)})
	if fill != nil {
		fill(request.Msg)
	}
	response, err := to.UnaryCall(context.Background(), request)
	if err == nil {
		err = equal("payload", len(response.Msg.GetPayload().GetBody()), 314159)
	}
	return response, err
}

func duplex(ask, answer int) *pb.StreamingOutputCallRequest {
	return &pb.StreamingOutputCallRequest{
		ResponseParameters: []*pb.ResponseParameters{{Size: int32(answer)}}, Payload: settings.Payload(ask),
	}
}

type bidi = connect.BidiStreamForClient[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]

// The next response of a stream has this size.
func next(stream *bidi, size int) error {
	response, err := stream.Receive()
	if err != nil {
		return err
	}
	return equal("payload", len(response.GetPayload().GetBody()), size)
}

func over(stream *bidi) error {
	if _, err := stream.Receive(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%v, expected the end", err)
	}
	return stream.CloseResponse()
}

// Calls with streams both ways; cases of which these are one half are the other half alone over HTTP/1.1.
func bidirectional() error {
	if *settings.HTTP != "2" {
		return fmt.Errorf("%w: the library has streams both ways over HTTP/2 alone", errUnsupported)
	}
	return nil
}

func emptyUnary() error {
	_, err := client().EmptyCall(context.Background(), connect.NewRequest(&pb.Empty{}))
	return err
}

func cacheableUnary() error {
	// The Connect protocol's GET, for a method without side effects.
	to := client(connect.WithHTTPGet())
	body := strconv.AppendInt(nil, time.Now().UnixNano(), 10)
	var found [2]string
	for at := range found {
		request := connect.NewRequest(&pb.SimpleRequest{Payload: &pb.Payload{Body: body}})
		request.Header().Set("X-User-Ip", "1.2.3.4")
		response, err := to.CacheableUnaryCall(context.Background(), request)
		if err != nil {
			return err
		}
		found[at] = string(response.Msg.GetPayload().GetBody())
	}
	return equal("second payload", found[1], found[0])
}

func clientCompressedUnary() error {
	expecting := func(value bool) func(*pb.SimpleRequest) {
		return func(request *pb.SimpleRequest) { request.ExpectCompressed = &pb.BoolValue{Value: value} }
	}
	_, err := large(client(), expecting(true))
	if err := fails(err, connect.CodeInvalidArgument, ""); err != nil {
		return err
	}
	if _, err = large(client(connect.WithSendGzip()), expecting(true)); err != nil {
		return err
	}
	_, err = large(client(), expecting(false))
	return err
}

func serverCompressedUnary() error {
	for _, value := range []bool{true, false} {
		var count atomic.Int32
		_, err := large(client(counting(&count)), func(request *pb.SimpleRequest) {
			request.ResponseCompressed = &pb.BoolValue{Value: value}
		})
		if err != nil {
			return err
		}
		if err := equal("compressed", count.Load() > 0, value); err != nil {
			return err
		}
	}
	return nil
}

func input(to testingconnect.TestServiceClient, messages ...*pb.StreamingInputCallRequest) (int, error) {
	stream := to.StreamingInputCall(context.Background())
	for _, each := range messages {
		if err := stream.Send(each); err != nil {
			break // the call's end says why
		}
	}
	response, err := stream.CloseAndReceive()
	if err != nil {
		return 0, err
	}
	return int(response.Msg.GetAggregatedPayloadSize()), nil
}

func clientStreaming() error {
	var messages []*pb.StreamingInputCallRequest
	for _, size := range requests {
		messages = append(messages, &pb.StreamingInputCallRequest{Payload: settings.Payload(size)})
	}
	size, err := input(client(), messages...)
	if err != nil {
		return err
	}
	return equal("aggregated size", size, 74922)
}

func clientCompressedStreaming() error {
	message := func(size int, value bool) *pb.StreamingInputCallRequest {
		return &pb.StreamingInputCallRequest{Payload: settings.Payload(size), ExpectCompressed: &pb.BoolValue{Value: value}}
	}
	_, err := input(client(), message(27182, true))
	if err := fails(err, connect.CodeInvalidArgument, ""); err != nil {
		return err
	}
	// A message below the least size for compression goes out as it is.
	size, err := input(client(connect.WithSendGzip(), connect.WithCompressMinBytes(1000)), message(27182, true), message(459, false))
	if err != nil {
		return err
	}
	return equal("aggregated size", size, 27182+459)
}

func output(ctx context.Context, to testingconnect.TestServiceClient, parameters []*pb.ResponseParameters, each func(at, size int) error) error {
	request := connect.NewRequest(&pb.StreamingOutputCallRequest{ResponseParameters: parameters})
	stream, err := to.StreamingOutputCall(ctx, request)
	if err != nil {
		return err
	}
	defer stream.Close()
	at := 0
	for ; stream.Receive(); at++ {
		if err := each(at, len(stream.Msg().GetPayload().GetBody())); err != nil {
			return err
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	return equal("responses", at, len(parameters))
}

func serverStreaming() error {
	var parameters []*pb.ResponseParameters
	for _, size := range responses {
		parameters = append(parameters, &pb.ResponseParameters{Size: int32(size)})
	}
	return output(context.Background(), client(), parameters, func(at, size int) error {
		return equal("size", size, responses[at])
	})
}

func serverCompressedStreaming() error {
	var count atomic.Int32
	parameters := []*pb.ResponseParameters{
		{Size: 31415, Compressed: &pb.BoolValue{Value: true}}, {Size: 92653, Compressed: &pb.BoolValue{Value: false}},
	}
	return output(context.Background(), client(counting(&count)), parameters, func(at, size int) error {
		// The first is compressed, and the second is not.
		return equal("compressed", count.Load(), 1)
	})
}

func pingPong() error {
	if err := bidirectional(); err != nil {
		return err
	}
	stream := client().FullDuplexCall(context.Background())
	for at, size := range requests {
		if err := stream.Send(duplex(size, responses[at])); err != nil {
			return err
		}
		if err := next(stream, responses[at]); err != nil {
			return err
		}
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	return over(stream)
}

func halfDuplex() error {
	if err := bidirectional(); err != nil {
		return err
	}
	stream := client().HalfDuplexCall(context.Background())
	for at, size := range requests {
		if err := stream.Send(duplex(size, responses[at])); err != nil {
			return err
		}
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	for _, size := range responses {
		if err := next(stream, size); err != nil {
			return err
		}
	}
	return over(stream)
}

func emptyStream() error {
	if err := bidirectional(); err != nil {
		return err
	}
	stream := client().FullDuplexCall(context.Background())
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	return over(stream)
}

// gRPC's binary metadata is base64, and the padding is as one likes.
func checkEcho(initial, trailing http.Header) error {
	if err := equal("initial metadata", initial.Get(settings.Initial), "test_initial_metadata_value"); err != nil {
		return err
	}
	return equal("trailing metadata", strings.TrimRight(trailing.Get(settings.Trailing), "="), "q6ur")
}

func sendEcho(to http.Header) {
	to.Set(settings.Initial, "test_initial_metadata_value")
	to.Set(settings.Trailing, "q6ur")
}

func customMetadata() error {
	request := connect.NewRequest(&pb.SimpleRequest{ResponseSize: 314159, Payload: settings.Payload(271828)})
	sendEcho(request.Header())
	response, err := client().UnaryCall(context.Background(), request)
	if err != nil {
		return err
	}
	if err := checkEcho(response.Header(), response.Trailer()); err != nil {
		return err
	}
	if bidirectional() != nil {
		return nil
	}
	stream := client().FullDuplexCall(context.Background())
	sendEcho(stream.RequestHeader())
	if err := stream.Send(duplex(271828, 314159)); err != nil {
		return err
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	if err := next(stream, 314159); err != nil {
		return err
	}
	if err := over(stream); err != nil {
		return err
	}
	return checkEcho(stream.ResponseHeader(), stream.ResponseTrailer())
}

func statusUnary(message string) error {
	request := connect.NewRequest(&pb.SimpleRequest{ResponseStatus: &pb.EchoStatus{Code: 2, Message: message}})
	_, err := client().UnaryCall(context.Background(), request)
	return fails(err, connect.CodeUnknown, message)
}

func statusCodeAndMessage() error {
	const text = "test status message"
	if err := statusUnary(text); err != nil {
		return err
	}
	if bidirectional() != nil {
		return nil
	}
	stream := client().FullDuplexCall(context.Background())
	if err := stream.Send(&pb.StreamingOutputCallRequest{ResponseStatus: &pb.EchoStatus{Code: 2, Message: text}}); err != nil {
		return err
	}
	if err := stream.CloseRequest(); err != nil {
		return err
	}
	_, err := stream.Receive()
	return fails(err, connect.CodeUnknown, text)
}

func unimplementedMethod() error {
	_, err := client().UnimplementedCall(context.Background(), connect.NewRequest(&pb.Empty{}))
	return fails(err, connect.CodeUnimplemented, "")
}

func unimplementedService() error {
	other := testingconnect.NewUnimplementedServiceClient(transport, address, options()...)
	_, err := other.UnimplementedCall(context.Background(), connect.NewRequest(&pb.Empty{}))
	return fails(err, connect.CodeUnimplemented, "")
}

func cancelAfterBegin() error {
	ctx, cancel := context.WithCancel(context.Background())
	stream := client().StreamingInputCall(ctx)
	if err := stream.Send(nil); err != nil { // the headers alone
		cancel()
		return err
	}
	cancel()
	_, err := stream.CloseAndReceive()
	return fails(err, connect.CodeCanceled, "")
}

func cancelAfterFirstResponse() error {
	if err := bidirectional(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream := client().FullDuplexCall(ctx)
	if err := stream.Send(duplex(27182, 31415)); err != nil {
		return err
	}
	if err := next(stream, 31415); err != nil {
		return err
	}
	cancel()
	_, err := stream.Receive()
	return fails(err, connect.CodeCanceled, "")
}

func timeoutOnSleepingServer() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	parameters := []*pb.ResponseParameters{{Size: 1, IntervalUs: 1000000}}
	err := output(ctx, client(), parameters, func(int, int) error { return nil })
	return fails(err, connect.CodeDeadlineExceeded, "")
}

var cases = map[string]func() error{
	"empty_unary":                 emptyUnary,
	"cacheable_unary":             cacheableUnary,
	"large_unary":                 func() error { _, err := large(client(), nil); return err },
	"client_compressed_unary":     clientCompressedUnary,
	"server_compressed_unary":     serverCompressedUnary,
	"client_streaming":            clientStreaming,
	"client_compressed_streaming": clientCompressedStreaming,
	"server_streaming":            serverStreaming,
	"server_compressed_streaming": serverCompressedStreaming,
	"ping_pong":                   pingPong,
	"half_duplex":                 halfDuplex,
	"empty_stream":                emptyStream,
	"custom_metadata":             customMetadata,
	"status_code_and_message":     statusCodeAndMessage,
	"special_status_message":      func() error { return statusUnary(special) },
	"unimplemented_method":        unimplementedMethod,
	"unimplemented_service":       unimplementedService,
	"cancel_after_begin":          cancelAfterBegin,
	"cancel_after_first_response": cancelAfterFirstResponse,
	"timeout_on_sleeping_server":  timeoutOnSleepingServer,
}

func connectTo() {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(*settings.HTTP != "2")
	protocols.SetHTTP2(*settings.HTTP == "2")
	protocols.SetUnencryptedHTTP2(*settings.HTTP == "2")
	base := &http.Transport{Protocols: protocols}
	scheme := "http"
	if *settings.UseTLS {
		base.TLSClientConfig = settings.ClientTLS()
		scheme = "https"
	}
	transport = &http.Client{Transport: base}
	address = fmt.Sprintf("%s://%s:%d", scheme, *settings.Host, *settings.ServerPort)
}

func main() {
	flag.Parse()
	connectTo()
	failures := 0
	for _, name := range strings.Split(*settings.Cases, ",") {
		run := cases[name]
		if run == nil {
			run = func() error { return fmt.Errorf("%w: the program does not have this case", errUnsupported) }
		}
		err := run()
		word := "passed"
		if err != nil {
			failures++
			word = "failed: " + strings.ReplaceAll(err.Error(), "\n", " ")
			if errors.Is(err, errUnsupported) {
				word = err.Error()
			}
		}
		fmt.Printf("%s: %s\n", name, word)
	}
	if failures > 0 {
		os.Exit(1)
	}
}

// The interop test server on connect-go: all three protocols over HTTP/1.1 and HTTP/2 on one port.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"clarionwebinterop/settings"
	pb "clarionwebinterop/testing"
	"clarionwebinterop/testing/testingconnect"

	"connectrpc.com/connect"
)

type service struct {
	testingconnect.UnimplementedTestServiceHandler
	lock   sync.Mutex
	cached map[string][]byte
}

func echo(from, initial, trailing http.Header) {
	if value := from.Get(settings.Initial); value != "" {
		initial.Set(settings.Initial, value)
	}
	for _, value := range from.Values(settings.Trailing) {
		trailing.Add(settings.Trailing, value)
	}
}

// The library does not say of a message whether it came compressed; the headers say whether it may have been.
func checkPacked(from http.Header, expected *pb.BoolValue) error {
	for _, name := range []string{"Grpc-Encoding", "Connect-Content-Encoding", "Content-Encoding"} {
		if value := from.Get(name); value != "" && value != "identity" {
			return nil
		}
	}
	if expected.GetValue() {
		return connect.NewError(connect.CodeInvalidArgument, errors.New("the request was expected to be compressed"))
	}
	return nil
}

func checkStatus(status *pb.EchoStatus) error {
	if status.GetCode() != 0 {
		return connect.NewError(connect.Code(status.GetCode()), errors.New(status.GetMessage()))
	}
	return nil
}

func respond(ctx context.Context, parameters []*pb.ResponseParameters, send func(*pb.StreamingOutputCallResponse) error) error {
	for _, each := range parameters {
		if each.GetIntervalUs() > 0 {
			select {
			case <-time.After(time.Duration(each.GetIntervalUs()) * time.Microsecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := send(&pb.StreamingOutputCallResponse{Payload: settings.Payload(int(each.GetSize()))}); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) EmptyCall(context.Context, *connect.Request[pb.Empty]) (*connect.Response[pb.Empty], error) {
	return connect.NewResponse(&pb.Empty{}), nil
}

func (s *service) UnaryCall(_ context.Context, request *connect.Request[pb.SimpleRequest]) (*connect.Response[pb.SimpleResponse], error) {
	if err := checkStatus(request.Msg.GetResponseStatus()); err != nil {
		return nil, err
	}
	if err := checkPacked(request.Header(), request.Msg.GetExpectCompressed()); err != nil {
		return nil, err
	}
	response := connect.NewResponse(&pb.SimpleResponse{Payload: settings.Payload(int(request.Msg.GetResponseSize()))})
	echo(request.Header(), response.Header(), response.Trailer())
	return response, nil
}

func (s *service) CacheableUnaryCall(_ context.Context, request *connect.Request[pb.SimpleRequest]) (*connect.Response[pb.SimpleResponse], error) {
	s.lock.Lock()
	defer s.lock.Unlock()
	key := string(request.Msg.GetPayload().GetBody())
	if s.cached[key] == nil {
		s.cached[key] = strconv.AppendInt(nil, time.Now().UnixNano(), 10)
	}
	response := connect.NewResponse(&pb.SimpleResponse{Payload: &pb.Payload{Body: s.cached[key]}})
	response.Header().Set("Cache-Control", "max-age=60, public")
	return response, nil
}

func (s *service) StreamingOutputCall(ctx context.Context, request *connect.Request[pb.StreamingOutputCallRequest], stream *connect.ServerStream[pb.StreamingOutputCallResponse]) error {
	if err := checkStatus(request.Msg.GetResponseStatus()); err != nil {
		return err
	}
	return respond(ctx, request.Msg.GetResponseParameters(), stream.Send)
}

func (s *service) StreamingInputCall(_ context.Context, stream *connect.ClientStream[pb.StreamingInputCallRequest]) (*connect.Response[pb.StreamingInputCallResponse], error) {
	size := 0
	for stream.Receive() {
		if err := checkPacked(stream.RequestHeader(), stream.Msg().GetExpectCompressed()); err != nil {
			return nil, err
		}
		size += len(stream.Msg().GetPayload().GetBody())
	}
	if err := stream.Err(); err != nil {
		return nil, err
	}
	return connect.NewResponse(&pb.StreamingInputCallResponse{AggregatedPayloadSize: int32(size)}), nil
}

type duplex = connect.BidiStream[pb.StreamingOutputCallRequest, pb.StreamingOutputCallResponse]

func (s *service) FullDuplexCall(ctx context.Context, stream *duplex) error {
	echo(stream.RequestHeader(), stream.ResponseHeader(), stream.ResponseTrailer())
	for {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := checkStatus(request.GetResponseStatus()); err != nil {
			return err
		}
		if err := respond(ctx, request.GetResponseParameters(), stream.Send); err != nil {
			return err
		}
	}
}

func (s *service) HalfDuplexCall(ctx context.Context, stream *duplex) error {
	var everything []*pb.ResponseParameters
	for {
		request, err := stream.Receive()
		if errors.Is(err, io.EOF) {
			return respond(ctx, everything, stream.Send)
		}
		if err != nil {
			return err
		}
		everything = append(everything, request.GetResponseParameters()...)
	}
}

func main() {
	flag.Parse()
	mux := http.NewServeMux()
	mux.Handle(testingconnect.NewTestServiceHandler(&service{cached: map[string][]byte{}}))
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: mux, Protocols: protocols}
	listener, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", *settings.Port))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("listening on", listener.Addr().(*net.TCPAddr).Port)
	if *settings.UseTLS {
		certificate, key := settings.ServerFiles()
		log.Fatal(server.ServeTLS(listener, certificate, key))
	}
	log.Fatal(server.Serve(listener))
}

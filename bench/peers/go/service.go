// Command peer is the grpc-go server and client that make bench compares with and, where Go is installed, the
// neutral other end of the streaming and client measurements. The service descriptions are written by hand so
// that only the messages need a generator.
package main

import (
	"context"
	"io"

	"clarionbench/pb"
	"google.golang.org/grpc"
)

type service struct{}

func sayHello(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	request := new(pb.HelloRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	return &pb.HelloResponse{Message: "Hello, " + request.GetName() + "!"}, nil
}

func echo(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	item := new(pb.Item)
	if err := decode(item); err != nil {
		return nil, err
	}
	return item, nil
}

func down(_ any, stream grpc.ServerStream) error {
	ask := new(pb.Ask)
	if err := stream.RecvMsg(ask); err != nil {
		return err
	}
	item := &pb.Item{Payload: make([]byte, ask.GetSize())}
	for range ask.GetCount() {
		if err := stream.SendMsg(item); err != nil {
			return err
		}
	}
	return nil
}

func talk(_ any, stream grpc.ServerStream) error {
	for {
		item := new(pb.Item)
		if err := stream.RecvMsg(item); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := stream.SendMsg(item); err != nil {
			return err
		}
	}
}

var greeter = grpc.ServiceDesc{
	ServiceName: "hello.Greeter",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "SayHello", Handler: sayHello}},
}

var downStream = grpc.StreamDesc{StreamName: "Down", Handler: down, ServerStreams: true}

var talkStream = grpc.StreamDesc{
	StreamName: "Talk", Handler: talk, ServerStreams: true, ClientStreams: true,
}

var bench = grpc.ServiceDesc{
	ServiceName: "hello.Bench",
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Echo", Handler: echo}},
	Streams:     []grpc.StreamDesc{downStream, talkStream},
}

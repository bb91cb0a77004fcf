// Command authz answers with grpc-go's authorization engine which calls of a table its policies allow (gRFC A43).
//
// Standard input is JSON: {"certificates": DIRECTORY, "cases": [{"policy": TEXT, "requests": [...]}]}, see table.json.
// Standard output is a list with an entry for each case: null for a policy that is refused, else a list of "allowed",
// "denied", or whatever else came of the request. Each policy has servers of its own, on the loopback interface.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/authz"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"
)

const patience = 20 * time.Second

type request struct {
	Path     string      `json:"path"`
	Client   string      `json:"client"`
	Metadata [][2]string `json:"metadata"`
}

type policyCase struct {
	Policy   string    `json:"policy"`
	Requests []request `json:"requests"`
}

type table struct {
	Certificates string       `json:"certificates"`
	Cases        []policyCase `json:"cases"`
}

func main() {
	var given table
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		fail(err)
	}
	answers := make([][]string, 0, len(given.Cases))
	for _, each := range given.Cases {
		answer, err := ask(given.Certificates, each)
		if err != nil {
			fail(err)
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// ask serves with the policy and makes the requests; nil answers stand for a policy that is refused.
func ask(certificates string, given policyCase) ([]string, error) {
	interceptor, err := authz.NewStatic(given.Policy)
	if err != nil {
		return nil, nil
	}
	roots, err := roots(certificates)
	if err != nil {
		return nil, err
	}
	pair, err := load(certificates, "server")
	if err != nil {
		return nil, err
	}
	secured := credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    roots,
		ClientAuth:   tls.VerifyClientCertIfGiven,
	})
	plain, err := serve(interceptor, insecure.NewCredentials())
	if err != nil {
		return nil, err
	}
	defer plain.Stop()
	overTLS, err := serve(interceptor, secured)
	if err != nil {
		return nil, err
	}
	defer overTLS.Stop()
	answers := []string{}
	for _, each := range given.Requests {
		server, transport := overTLS, insecure.NewCredentials()
		switch each.Client {
		case "plain":
			server = plain
		default:
			config := &tls.Config{RootCAs: roots}
			if each.Client != "" {
				pair, err := load(certificates, each.Client)
				if err != nil {
					return nil, err
				}
				config.Certificates = []tls.Certificate{pair}
			}
			transport = credentials.NewTLS(config)
		}
		answers = append(answers, call(server.address, transport, each))
	}
	return answers, nil
}

func roots(certificates string) (*x509.CertPool, error) {
	text, err := os.ReadFile(filepath.Join(certificates, "ca.pem"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("ca.pem has no certificate")
	}
	return pool, nil
}

func load(certificates, name string) (tls.Certificate, error) {
	base := filepath.Join(certificates, name)
	return tls.LoadX509KeyPair(base+".pem", base+".key")
}

type server struct {
	*grpc.Server
	address string
}

func serve(interceptor *authz.StaticInterceptor, secured credentials.TransportCredentials) (*server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	served := grpc.NewServer(
		grpc.Creds(secured),
		grpc.StreamInterceptor(interceptor.StreamInterceptor),
		grpc.UnknownServiceHandler(func(_ any, stream grpc.ServerStream) error {
			return stream.SendMsg(&emptypb.Empty{})
		}),
	)
	go served.Serve(listener)
	return &server{served, listener.Addr().String()}, nil
}

func call(address string, transport credentials.TransportCredentials, given request) string {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(transport))
	if err != nil {
		return err.Error()
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, pair := range given.Metadata {
		ctx = metadata.AppendToOutgoingContext(ctx, pair[0], pair[1])
	}
	err = connection.Invoke(ctx, given.Path, &emptypb.Empty{}, &emptypb.Empty{})
	switch status.Code(err) {
	case codes.OK:
		return "allowed"
	case codes.PermissionDenied:
		return "denied"
	default:
		return err.Error()
	}
}

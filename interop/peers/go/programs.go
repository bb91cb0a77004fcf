//go:build programs

// Package programs names what is built here, so that `go mod tidy` keeps what it needs.
package programs

import (
	_ "google.golang.org/grpc/interop/client"
	_ "google.golang.org/grpc/interop/server"
)

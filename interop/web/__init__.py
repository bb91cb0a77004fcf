"""The matrix of the web: gRPC-Web and Connect beside gRPC, with browsers' libraries, proxies and command lines as peers."""

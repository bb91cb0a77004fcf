#!/bin/sh
# certificates.sh DIRECTORY NAME: makes NAME.key and NAME.pem in the directory, and an authority on first use.
# A second run for the same name renews it: key and certificate are exchanged under the running program.
# certificates.sh DIRECTORY NAME SERIAL writes SERIAL into the certificate's SPIFFE ID, to tell one from the other.
set -eu
cd "$1"
name=$2
if [ ! -e ca.pem ]; then
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj "/CN=Example CA" -keyout ca.key -out ca.pem
fi
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
    -keyout new.key -out new.csr
printf 'subjectAltName=DNS:localhost,URI:spiffe://example.org/%s/%s\nextendedKeyUsage=serverAuth,clientAuth\n' \
    "$name" "${3:-1}" >new.ext
openssl x509 -req -in new.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 \
    -extfile new.ext -out new.pem
mv new.key "$name.key"
mv new.pem "$name.pem"
rm new.csr new.ext

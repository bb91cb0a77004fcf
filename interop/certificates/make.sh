#!/bin/sh
# Makes the certificates of the interop programs anew, in this directory. They are committed, so that a run needs no
# openssl binary; their keys are no secrets. Needs OpenSSL 1.1.1 or newer.
#
#   ca                 the authority that clients trust with --use_test_ca; its key is thrown away
#   server1            *.test.google.fr, the name that the official programs expect, and localhost; RSA
#   service-account    the key of the made-up service account of the credentials cases
set -eu
cd "$(dirname "$0")"

FROM=20250101000000Z
TO=21250101000000Z

rm -rf work
mkdir work
: >work/index
cat >work/config <<END
[ca]
default_ca=here
[here]
database=work/index
new_certs_dir=work
rand_serial=yes
unique_subject=no
default_md=sha256
policy=policy
[policy]
organizationName=supplied
commonName=supplied
END
cat >work/authority <<END
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
END
cat >work/leaf <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature,keyEncipherment
extendedKeyUsage=serverAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=DNS:*.test.google.fr,DNS:localhost,IP:127.0.0.1,IP:::1
END

for name in ca server1 service-account; do
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$name.key"
done
openssl req -new -key ca.key -subj "/O=Clarion interop/CN=interop test CA" -out work/request
openssl ca -batch -notext -config work/config -extfile work/authority -in work/request \
    -startdate $FROM -enddate $TO -selfsign -keyfile ca.key -out ca.pem
openssl req -new -key server1.key -subj "/O=Clarion interop/CN=*.test.google.fr" -out work/request
openssl ca -batch -notext -config work/config -extfile work/leaf -in work/request \
    -startdate $FROM -enddate $TO -cert ca.pem -keyfile ca.key -out server1.pem

rm -r work ca.key

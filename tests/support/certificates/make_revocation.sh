#!/bin/sh
# Makes the certificates of the tests about revocation anew, in this directory; see make.sh for the others.
#
#   revoking-ca         an authority; an intermediate authority of its signs the two below, chain included
#   good, revoked       localhost, *.clarion.test, 127.0.0.1, ::1, a SPIFFE ID; for servers and clients
#   crls                the lists of both authorities; `revoked` is on one of them
#   crls-old            the same, and over since 2020
#   crls-root           that of `revoking-ca` alone
set -eu
cd "$(dirname "$0")"

rm -rf work
mkdir work
for each in root middle; do
    mkdir work/$each
    : >work/$each/index
    cat >work/$each/config <<END
[ca]
default_ca=here
[here]
database=work/$each/index
new_certs_dir=work/$each
rand_serial=yes
unique_subject=no
default_md=sha256
policy=policy
[policy]
organizationName=supplied
commonName=supplied
END
done

sign() { # name, common name, by; extensions on standard input; arguments for `openssl ca`
    name=$1
    common=$2
    by=$3
    shift 3
    cat >work/extensions
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$name.key"
    openssl req -new -key "$name.key" -subj "/O=Clarion tests/CN=$common" -out work/request
    openssl ca -batch -notext -config "work/$by/config" -extfile work/extensions -in work/request \
        -startdate 20250101000000Z -enddate 21250101000000Z "$@" -out "$name.pem"
}

authority() {
    sign "$@" <<END
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
END
}

leaf() { # name
    sign "$1" "$1" middle -cert middle.pem -keyfile middle.key <<END
basicConstraints=critical,CA:FALSE
extendedKeyUsage=serverAuth,clientAuth
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
subjectAltName=URI:spiffe://clarion.test/$1,DNS:localhost,DNS:*.clarion.test,IP:127.0.0.1,IP:::1
END
    cat middle.pem >>"$1.pem"
}

list() { # by, certificate, file, from, to
    openssl ca -gencrl -config "work/$1/config" -cert "$2.pem" -keyfile "$2.key" \
        -crl_lastupdate "$4" -crl_nextupdate "$5" >>"$3.pem"
}

authority revoking-ca "revoking CA" root -selfsign -keyfile revoking-ca.key
authority middle "revoking intermediate CA" root -cert revoking-ca.pem -keyfile revoking-ca.key
leaf good
leaf revoked
openssl ca -config work/middle/config -cert middle.pem -keyfile middle.key -revoke revoked.pem
rm -f crls.pem crls-old.pem crls-root.pem
list root revoking-ca crls-root 20250101000000Z 21250101000000Z
cp crls-root.pem crls.pem
list middle middle crls 20250101000000Z 21250101000000Z
cp crls-root.pem crls-old.pem
list middle middle crls-old 20200101000000Z 20200201000000Z

rm -r work revoking-ca.key middle.key middle.pem

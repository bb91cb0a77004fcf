#!/bin/sh
# Makes the certificates of the tests anew, in this directory. They are committed, so that tests need no openssl
# binary; their keys are no secrets. Needs OpenSSL 1.1.1 or newer.
#
#   ca, other-ca        two authorities; the tests trust `ca` alone
#   server              localhost, *.clarion.test, 127.0.0.1, ::1; by an intermediate authority, chain included
#   rsa                 the same names, RSA key, by `ca` itself
#   wrong-name          elsewhere.test alone
#   common-name         no subject alternative names, common name localhost
#   expired, future     not valid now
#   no-server           may be used by clients only
#   self-signed         its own authority
#   other               the names of `server`, by `other-ca`
#   client              every kind of subject alternative name; by `ca`
#   plain-client        no subject alternative names, common name "plain client"
#   other-client        by `other-ca`
set -eu
cd "$(dirname "$0")"

NAMES="DNS:localhost,DNS:*.clarion.test,IP:127.0.0.1,IP:::1"
FROM=20250101000000Z
TO=21250101000000Z

sign() { # name, common name, authority (empty: itself); extensions on standard input
    cat >work/extensions
    case "$1" in
    rsa) openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$1.key" ;;
    *) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" ;;
    esac
    openssl req -new -key "$1.key" -subj "/O=Clarion tests/CN=$2" -out work/request
    if [ -n "$3" ]; then
        set -- "$1" "$2" -cert "$3.pem" -keyfile "$3.key"
    else
        set -- "$1" "$2" -selfsign -keyfile "$1.key"
    fi
    name=$1
    shift 2
    openssl ca -batch -notext -config work/config -extfile work/extensions -in work/request \
        -startdate $FROM -enddate $TO "$@" -out "$name.pem"
}

authority() { # name, common name, authority (empty: itself)
    sign "$@" <<END
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
END
}

leaf() { # name, common name, authority, usage, alternative names
    sign "$1" "$2" "$3" <<END
basicConstraints=critical,CA:FALSE
extendedKeyUsage=$4
subjectKeyIdentifier=hash
authorityKeyIdentifier=keyid
${5:+subjectAltName=$5}
END
}

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

authority ca "Clarion test CA" ""
authority other-ca "another CA" ""
authority intermediate "intermediate CA" ca

leaf server server.clarion.test intermediate serverAuth "$NAMES"
cat intermediate.pem >>server.pem
leaf rsa server.clarion.test ca serverAuth "$NAMES"
leaf wrong-name elsewhere.test ca serverAuth DNS:elsewhere.test
leaf common-name localhost ca serverAuth ""
leaf no-server localhost ca clientAuth "$NAMES"
leaf other server.clarion.test other-ca serverAuth "$NAMES"
leaf self-signed localhost "" serverAuth "$NAMES"
leaf client "client one" ca clientAuth \
    "URI:spiffe://clarion.test/client,DNS:client.clarion.test,email:client@clarion.test,IP:10.0.0.7,IP:fd00::7"
leaf plain-client "plain client" ca clientAuth ""
leaf other-client "client one" other-ca clientAuth DNS:client.clarion.test
FROM=20200101000000Z TO=20200201000000Z
leaf expired localhost ca serverAuth "$NAMES"
FROM=21000101000000Z TO=21000201000000Z
leaf future localhost ca serverAuth "$NAMES"

rm -r work ca.key other-ca.key intermediate.key intermediate.pem

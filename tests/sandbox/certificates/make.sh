#!/bin/sh
# Makes every certificate and key of this folder anew, with the `openssl` command (3.0 or later). No test runs it: what it
# makes is checked in, valid for a century, and holds no secret that protects anything.
#
# Two authorities that know nothing of each other, `ca` and `other-ca`, and an `intermediate` of the first. All servers but
# the RSA one share one key, and so do all clients but the RSA one.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

FROM=20200101000000Z
UNTIL=21200101000000Z
HERE='DNS:localhost, IP:127.0.0.1, IP:0:0:0:0:0:0:0:1'

# authority NAME COMMON_NAME [ISSUER]: with its key in the work folder, which is thrown away.
authority() {
  openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1-key.pem"
  issue "$1" "$work/$1-key.pem" "$2" "${3:-self}" "$FROM" "$UNTIL" \
    'basicConstraints = critical, CA:TRUE' 'keyUsage = critical, keyCertSign, cRLSign'
}

# server NAME KEY ISSUER SAN [FROM UNTIL]
server() {
  issue "$1" "$2" "sandbox $1" "$3" "${5:-$FROM}" "${6:-$UNTIL}" 'basicConstraints = critical, CA:FALSE' \
    'keyUsage = critical, digitalSignature' 'extendedKeyUsage = serverAuth' "subjectAltName = $4"
}

# client NAME KEY ISSUER
client() {
  issue "$1" "$2" "sandbox $1" "$3" "$FROM" "$UNTIL" 'basicConstraints = critical, CA:FALSE' \
    'keyUsage = critical, digitalSignature' 'extendedKeyUsage = clientAuth' 'subjectAltName = DNS:client.example'
}

# issue NAME KEY COMMON_NAME ISSUER FROM UNTIL EXTENSION…
issue() {
  name=$1 key=$2 common=$3 issuer=$4 from=$5 until=$6
  shift 6
  printf '%s\n' '[x]' 'subjectKeyIdentifier = hash' 'authorityKeyIdentifier = keyid' "$@" > "$work/extensions"
  openssl req -new -key "$key" -subj "/CN=$common" -out "$work/request.pem"
  case $issuer in
  self) signer="-selfsign -keyfile $key" ;;
  *) signer="-cert $issuer.pem -keyfile $work/$issuer-key.pem" ;;
  esac
  # shellcheck disable=SC2086 # two or four words
  openssl ca -batch -notext -md sha256 -config "$work/config" -extfile "$work/extensions" -extensions x \
    -startdate "$from" -enddate "$until" $signer -in "$work/request.pem" -out "$name.pem" 2> "$work/said" \
    || { cat "$work/said" >&2; exit 1; }
}

: > "$work/index"
openssl rand -hex 8 > "$work/serial"
cat > "$work/config" << CONFIG
[ca]
default_ca = all
[all]
database = $work/index
serial = $work/serial
new_certs_dir = $work
policy = any
unique_subject = no
[any]
commonName = supplied
CONFIG

authority ca 'sandbox authority'
authority other-ca 'another authority'
authority intermediate 'sandbox intermediate authority' ca

openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out server-key.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out server-rsa-key.pem
server server server-key.pem ca "$HERE"
server server-rsa server-rsa-key.pem ca "$HERE"
server server-wrong-name server-key.pem ca 'DNS:elsewhere.example'
server server-expired server-key.pem ca "$HERE" 20200101000000Z 20210101000000Z
server server-unknown-authority server-key.pem other-ca "$HERE"
server server-chain server-key.pem intermediate "$HERE"
cat intermediate.pem >> server-chain.pem

# The same key in three forms; `openssl pkey -traditional` writes SEC1 for EC and PKCS#1 for RSA.
openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out client-key.pem
openssl pkey -in client-key.pem -traditional -out client-key-sec1.pem
openssl pkcs8 -topk8 -in client-key.pem -v2 aes-256-cbc -passout pass:sandbox -out client-key-encrypted.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out client-rsa-key.pem
openssl pkey -in client-rsa-key.pem -traditional -out client-rsa-key-pkcs1.pem
client client client-key.pem ca
client client-rsa client-rsa-key.pem ca
client client-unknown-authority client-key.pem other-ca
client client-chain client-key.pem intermediate
cat intermediate.pem >> client-chain.pem
rm intermediate.pem

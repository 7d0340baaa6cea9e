#!/bin/sh
# Starts the OpenLDAP server of the container: at the first start makes a certificate authority, a certificate, passwords, the
# server and the user alice. Everything is kept in DATA; what a client needs is in DATA/public.
#
# From the environment: DATA (default /srv/ldap), LDIF and MAKE_SERVER (where the project's files are), SUFFIX (default
# dc=example,dc=org), HOST_NAME and ADDRESS (in the certificate), LISTEN (an ldaps URL).
set -eu
DATA=${DATA:-/srv/ldap}
LDIF=${LDIF:-/opt/writeback/openldap}
MAKE_SERVER=${MAKE_SERVER:-/opt/writeback/make-server.sh}
SUFFIX=${SUFFIX:-dc=example,dc=org}
HOST_NAME=${HOST_NAME:-ldap.example.org}
ADDRESS=${ADDRESS:-127.0.0.1}
LISTEN=${LISTEN:-ldaps:///}
slapd=${SLAPD:-/usr/sbin/slapd}

new_password() {
  openssl rand -base64 18 | tr -d '\n=' | tr '/+' 'Aa'
}

make_certificates() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 -subj '/CN=writeback test CA' \
    -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout ca.key -out public/ca.crt
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$HOST_NAME" -keyout server.key -out server.csr
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=DNS:%s,DNS:localhost,IP:%s\n' \
    "$HOST_NAME" "$ADDRESS" >server.ext
  openssl x509 -req -in server.csr -CA public/ca.crt -CAkey ca.key -CAcreateserial -days 825 -sha256 -extfile server.ext \
    -out server.crt
}

make_server() {
  export LDIF SUFFIX
  ADMIN_PASSWORD_FILE=$PWD/admin-password SERVICE_PASSWORD_FILE=$PWD/public/bind-password \
    CA_FILE=$PWD/public/ca.crt CERTIFICATE_FILE=$PWD/server.crt KEY_FILE=$PWD/server.key SLAPD=$slapd \
    LOCKOUT_AFTER=5 sh "$MAKE_SERVER" "$PWD"
  "$slapd" -T add -q -n 1 -F conf <<USER
dn: uid=alice,ou=People,$SUFFIX
objectClass: inetOrgPerson
uid: alice
cn: Alice Example
sn: Example
mail: alice@example.org
USER
}

umask 077
mkdir -p "$DATA"
cd "$DATA"
if [ ! -e ready ]; then
  rm -rf conf db public
  mkdir public
  make_certificates 2>/dev/null
  new_password >admin-password
  new_password >public/bind-password
  make_server
  # Read by whoever tests; the agent wants the password file to itself: copy it with mode 0600.
  chmod 755 public && chmod 644 public/*
  touch ready
fi
"$slapd" -T cat -n 1 -F conf -a '(uid=alice)' | sed -n 's/^entryUUID: //p' >public/alice-anchor
chmod 644 public/alice-anchor
echo "alice has the anchor $(cat public/alice-anchor)"
exec "$slapd" -d stats -F conf -h "$LISTEN"

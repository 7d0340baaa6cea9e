#!/bin/sh
# Makes an OpenLDAP server to test against, in the directory it is called with: `conf` and `db`, all paths relative to it.
# Debian's usual access rules, the overlays ppolicy and memberof, and then the files of install/openldap, loaded as their
# README says. The container runs this at its first start; the project's tests make their servers by it.
#
# From the environment: LDIF (directory install/openldap), SUFFIX (dc=..., two parts), ADMIN_PASSWORD_FILE and
# SERVICE_PASSWORD_FILE (without a newline at the end), CA_FILE, CERTIFICATE_FILE, KEY_FILE, SCHEME (default {SSHA}),
# ARGON2_COST (of the scheme {ARGON2}, default m=19456 t=2 p=1), SLAPD (default /usr/sbin/slapd).
set -eu
directory=$1
slapd=${SLAPD:-/usr/sbin/slapd}
scheme=${SCHEME:-'{SSHA}'}
admin=cn=admin,$SUFFIX
dc=${SUFFIX#dc=}
dc=${dc%%,*}
umask 077
cd "$directory"
mkdir -p conf db

"$slapd" -T add -q -n 0 -F conf <<LDIF
dn: cn=config
objectClass: olcGlobal
cn: config
olcTLSCACertificateFile: $CA_FILE
olcTLSCertificateFile: $CERTIFICATE_FILE
olcTLSCertificateKeyFile: $KEY_FILE
olcTLSVerifyClient: never
olcTLSProtocolMin: 3.3
olcThreads: 4
olcToolThreads: 1

dn: cn=module,cn=config
objectClass: olcModuleList
cn: module
olcModulePath: /usr/lib/ldap
olcModuleLoad: back_mdb
olcModuleLoad: ppolicy
olcModuleLoad: memberof
olcModuleLoad: argon2 ${ARGON2_COST:-m=19456 t=2 p=1}

dn: cn=schema,cn=config
objectClass: olcSchemaConfig
cn: schema

include: file:///etc/ldap/schema/core.ldif

include: file:///etc/ldap/schema/cosine.ldif

include: file:///etc/ldap/schema/nis.ldif

include: file:///etc/ldap/schema/inetorgperson.ldif

dn: olcDatabase={-1}frontend,cn=config
objectClass: olcDatabaseConfig
objectClass: olcFrontendConfig
olcDatabase: {-1}frontend
olcPasswordHash: $scheme
olcAccess: to dn.base="" by * read
olcAccess: to dn.base="cn=subschema" by * read

dn: olcDatabase={0}config,cn=config
objectClass: olcDatabaseConfig
olcDatabase: {0}config
olcRootDN: cn=config
olcRootPW: $(cat "$ADMIN_PASSWORD_FILE")

dn: olcDatabase={1}mdb,cn=config
objectClass: olcDatabaseConfig
objectClass: olcMdbConfig
olcDatabase: {1}mdb
olcDbDirectory: db
olcDbMaxSize: 268435456
olcSuffix: $SUFFIX
olcRootDN: $admin
olcRootPW: $(cat "$ADMIN_PASSWORD_FILE")
olcDbIndex: objectClass eq
olcDbIndex: cn,uid eq
olcDbIndex: member eq
olcAccess: to attrs=userPassword by self write by anonymous auth by * none
olcAccess: to * by * read

dn: olcOverlay=memberof,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcMemberOfConfig
olcOverlay: memberof

dn: olcOverlay=ppolicy,olcDatabase={1}mdb,cn=config
objectClass: olcOverlayConfig
objectClass: olcPPolicyConfig
olcOverlay: ppolicy
olcPPolicyDefault: cn=default,ou=Policies,$SUFFIX
olcPPolicyHashCleartext: TRUE
olcPPolicyUseLockout: TRUE
LDIF

{
  cat <<LDIF
dn: $SUFFIX
objectClass: dcObject
objectClass: organization
o: $dc
dc: $dc

LDIF
  for unit in People Outside Groups Services Policies; do
    printf 'dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n' "$unit" "$SUFFIX" "$unit"
  done
  cat <<LDIF
dn: cn=default,ou=Policies,$SUFFIX
objectClass: organizationalRole
objectClass: pwdPolicy
cn: default
pwdAttribute: userPassword
pwdCheckQuality: 2
pwdMinLength: 7
pwdInHistory: 5
pwdLockout: TRUE
pwdMaxFailure: ${LOCKOUT_AFTER:-0}
pwdMustChange: TRUE
pwdAllowUserChange: TRUE
pwdSafeModify: FALSE
LDIF
} | "$slapd" -T add -q -n 1 -F conf

# The socket is reached by nobody else: the directory is private.
socket=ldapi://$(printf '%s/setup.sock' "$directory" | sed 's,/,%2F,g')
"$slapd" -d 0 -F conf -h "$socket" &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT TERM
# -y takes the whole file for the password.
as_config="-x -H $socket -D cn=config -y $ADMIN_PASSWORD_FILE"
as_admin="-x -H $socket -D $admin -y $ADMIN_PASSWORD_FILE"
tries=0
# shellcheck disable=SC2086  # words
until ldapwhoami $as_config >/dev/null 2>&1; do
  tries=$((tries + 1))
  [ "$tries" -lt 200 ] || { echo 'slapd does not answer' >&2; exit 1; }
  sleep 0.05
done
here() {
  sed "s/dc=example,dc=org/$SUFFIX/g" "$LDIF/$1.ldif"
}
# shellcheck disable=SC2086  # words
{
  for name in schema index access monitor; do here "$name" | ldapmodify -a $as_config; done
  here service-account | ldapadd $as_admin
  ldappasswd $as_admin -T "$SERVICE_PASSWORD_FILE" "uid=svc-writeback,ou=Services,$SUFFIX"
} >/dev/null
kill "$server"
wait "$server" || true
trap - EXIT HUP INT TERM
rm -f setup.sock

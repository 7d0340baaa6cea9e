#!/usr/bin/python3
"""Changes to a test domain that LDAP does not offer, made in its database, also while it runs. Arguments: smb.conf. Reads
a JSON list of edits on stdin: {"edit": one of EDITS below, ...}."""
import json
import sys
import time

import ldb
from samba.auth import system_session
from samba.dcerpc import misc, security
from samba.ndr import ndr_pack, ndr_unpack
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

USER_CLASS = 'bf967aba-0de6-11d0-a285-00aa003049e2'
CHANGE_PASSWORD = 'ab721a53-1e2f-11d0-9819-00aa0040529b'
RIGHTS = {
    'resetPassword': 'CR;00299570-246d-11d0-a768-00aa006e0529',
    'lockoutTime': 'RPWP;28630ebf-41d5-11d1-a9c1-0000f80367c1',
    'pwdLastSet': 'RPWP;bf967a0a-0de6-11d0-a285-00aa003049e2',
    'adminDisplayName': 'RPWP;bf96791a-0de6-11d0-a285-00aa003049e2',
}
CHANGE_READ_ONLY_SYSTEM_ATTRIBUTE = 'local_oid:1.3.6.1.4.1.7165.4.3.20:1'
AS_THE_DATABASE_CHECK = 'local_oid:1.3.6.1.4.1.7165.4.3.19:0'
TICKS_A_SECOND = 10**7
BUILTIN_GROUP = '-2147483643'
GLOBAL_GROUP = '-2147483646'
SECONDS_1601_TO_1970 = 11644473600


def open_database(smb_conf):
    parameters = LoadParm()
    parameters.load(smb_conf)
    return SamDB(url=parameters.private_path('sam.ldb'), session_info=system_session(parameters), lp=parameters)


def replace(database, dn, values, controls):
    message = ldb.Message(ldb.Dn(database, dn))
    for name, value in values.items():
        message[name] = ldb.MessageElement(value, ldb.FLAG_MOD_REPLACE, name)
    database.modify(message, controls)


def delegate(database, account, ou, rights):
    """Gives `account` the named rights on the users below `ou`."""
    sid = sid_of(database, account)
    for right in rights:
        SDUtils(database).dacl_add_ace(ou, f'(OA;CIIO;{RIGHTS[right]};{USER_CLASS};{sid})')


def sid_of(database, account):
    found = database.search(account, scope=ldb.SCOPE_BASE, attrs=['objectSid'])
    return ndr_unpack(security.dom_sid, found[0]['objectSid'][0])


def read_policies(database, account):
    """Lets `account` read the fine-grained password policies."""
    container = f'CN=Password Settings Container,CN=System,{database.get_default_basedn()}'
    SDUtils(database).dacl_add_ace(container, f'(A;CI;LCRPLORC;;;{sid_of(database, account)})')


def deny_change(database, dn):
    """Ticks "user cannot change password", as the administrative tools do: the bit in userAccountControl does nothing."""
    for trustee in ('PS', 'WD'):
        SDUtils(database).dacl_add_ace(dn, f'(OD;;CR;{CHANGE_PASSWORD};;{trustee})')


def deny_read(database, account, dn, attributes):
    """Hides attributes of `dn` from `account`."""
    sid = sid_of(database, account)
    aces = [f'(OD;;RP;{schema_guid(database, attribute)};;{sid})' for attribute in attributes]
    SDUtils(database).dacl_prepend_aces(dn, ''.join(aces))


def deny_write(database, account, dn, attributes):
    """Keeps `account` from writing attributes of `dn`, whatever it inherits."""
    sid = sid_of(database, account)
    aces = [f'(OD;;WP;{schema_guid(database, attribute)};;{sid})' for attribute in attributes]
    SDUtils(database).dacl_prepend_aces(dn, ''.join(aces))


def add_ace(database, dn, ace):
    """Adds an entry to the access control list of `dn`, as an administrator's tool would."""
    SDUtils(database).dacl_add_ace(dn, ace)


def schema_guid(database, attribute):
    found = database.search(
        database.get_schema_basedn(), scope=ldb.SCOPE_ONELEVEL,
        expression=f'(lDAPDisplayName={attribute})', attrs=['schemaIDGUID'])
    return str(ndr_unpack(misc.GUID, found[0]['schemaIDGUID'][0]))


def overwrite(database, dn, values):
    """Writes attributes that only the directory itself may write."""
    replace(database, dn, values, ['relax:0'])


def sid_history(database, dn, sids):
    """Makes `dn` look as if it had come from other domains, where it had these SIDs."""
    replace(database, dn, {'sIDHistory': [ndr_pack(security.dom_sid(sid)) for sid in sids]}, [])


def password_age(database, dn, days):
    """Makes the password look as if it had been set `days` ago; over LDAP only 0 and -1 can be written."""
    ticks = int((time.time() - days * 86400 + SECONDS_1601_TO_1970) * TICKS_A_SECOND)
    replace(database, dn, {'pwdLastSet': str(ticks)}, [CHANGE_READ_ONLY_SYSTEM_ATTRIBUTE])


def protect(database, dn):
    """Does what the hourly SDProp task of Windows does to members of protected groups, and Samba does not."""
    holder = f'CN=AdminSDHolder,CN=System,{database.get_default_basedn()}'
    found = database.search(holder, scope=ldb.SCOPE_BASE, attrs=['nTSecurityDescriptor'])
    descriptor = ndr_unpack(security.descriptor, found[0]['nTSecurityDescriptor'][0])
    descriptor.type |= security.SEC_DESC_DACL_PROTECTED
    values = {'nTSecurityDescriptor': ndr_pack(descriptor), 'adminCount': '1'}
    replace(database, dn, values, ['sd_flags:1:7'])


def allow_writing(database, account, dns):
    """Gives `account` all the rights of RIGHTS on each entry itself, whatever protects it from inherited ones."""
    sid = sid_of(database, account)
    for dn in dns:
        SDUtils(database).dacl_prepend_aces(dn, ''.join(f'(OA;;{right};;{sid})' for right in RIGHTS.values()))


def put(database, dn, values):
    """Replaces attributes that only the system writes. Values that are SIDs are stored as such."""
    stored = {name: packed(value) for name, value in values.items()}
    replace(database, dn, stored, ['relax:0', AS_THE_DATABASE_CHECK])


def packed(value):
    return ndr_pack(security.dom_sid(value)) if value.startswith('S-1-') else value


def add_group(database, dn, sid, name):
    """Makes a security group with a SID that no group can be given over LDAP."""
    message = ldb.Message(ldb.Dn(database, dn))
    group_type = BUILTIN_GROUP if sid.startswith('S-1-5-32-') else GLOBAL_GROUP
    values = {'objectClass': 'group', 'sAMAccountName': name, 'groupType': group_type, 'objectSid': packed(sid)}
    for attribute, value in values.items():
        message[attribute] = ldb.MessageElement(value, ldb.FLAG_MOD_ADD, attribute)
    database.add(message, ['relax:0'])


EDITS = {edit.__name__: edit for edit in (
    delegate, read_policies, deny_change, deny_read, deny_write, add_ace, overwrite, sid_history, password_age, protect,
    allow_writing, put, add_group)}

if __name__ == '__main__':
    opened = open_database(sys.argv[1])
    for wish in json.load(sys.stdin):
        EDITS[wish.pop('edit')](opened, **wish)

#!/usr/bin/python3
"""Makes the template of a test domain: a fresh Samba AD, two OUs, and a service account that may do on OU=People only
what the agent needs. Reads one JSON object on stdin (passwords never show in a process list). Touches no sysvol ACLs,
so it needs neither root nor extended attributes."""
import json
import logging
import os
import shutil
import sys

import samba.provision
from samba import dsdb
from samba.auth import system_session
from samba.ndr import ndr_unpack
from samba.dcerpc import security
from samba.param import LoadParm
from samba.samdb import SamDB
from samba.sd_utils import SDUtils

USER_CLASS = 'bf967aba-0de6-11d0-a285-00aa003049e2'
RESET_PASSWORD = '00299570-246d-11d0-a768-00aa006e0529'
WRITABLE_ATTRIBUTES = {
    'lockoutTime': '28630ebf-41d5-11d1-a9c1-0000f80367c1',
    'pwdLastSet': 'bf967a0a-0de6-11d0-a285-00aa003049e2',
    'adminDisplayName': 'bf96791a-0de6-11d0-a285-00aa003049e2',
}


def provision(wish, directory):
    samba.provision.setsysvolacl = lambda *args, **kwargs: None
    parameters = LoadParm()
    parameters.set('interfaces', '127.0.0.1/8')
    parameters.set('bind interfaces only', 'yes')
    log = logging.getLogger('provision')
    log.setLevel(logging.ERROR)
    samba.provision.provision(
        log, system_session(), targetdir=directory, realm=wish['realm'], domain=wish['workgroup'], hostname='dc1',
        hostip='127.0.0.1', adminpass=wish['adminPassword'], serverrole='active directory domain controller',
        dom_for_fun_level=dsdb.DS_DOMAIN_FUNCTION_2008_R2, dns_backend='NONE', lp=parameters, batch_mode=True)


def delegate(database, name, ou):
    """The least-privilege entries of the installation manual, inherited by the users below `ou`."""
    account = database.search(database.get_default_basedn(), expression=f'(sAMAccountName={name})', attrs=['objectSid'])
    sid = ndr_unpack(security.dom_sid, account[0]['objectSid'][0])
    aces = [f'(OA;CIIO;CR;{RESET_PASSWORD};{USER_CLASS};{sid})']
    aces += [f'(OA;CIIO;RPWP;{guid};{USER_CLASS};{sid})' for guid in WRITABLE_ATTRIBUTES.values()]
    for ace in aces:
        SDUtils(database).dacl_add_ace(ou, ace)


def fill(wish, directory):
    parameters = LoadParm()
    parameters.load(os.path.join(directory, 'etc', 'smb.conf'))
    database = SamDB(url=parameters.private_path('sam.ldb'), session_info=system_session(parameters), lp=parameters)
    base = str(database.get_default_basedn())
    for ou in ('People', 'Outside'):
        database.create_ou(f'OU={ou},{base}')
    database.newuser(wish['serviceAccount'], wish['servicePassword'])
    database.setexpiry(f"(sAMAccountName={wish['serviceAccount']})", 0, no_expiry_req=True)
    delegate(database, wish['serviceAccount'], f'OU=People,{base}')


wish = json.load(sys.stdin)
provision(wish, sys.argv[1])
fill(wish, sys.argv[1])
shutil.rmtree(os.path.join(sys.argv[1], 'state', 'sysvol'), ignore_errors=True)

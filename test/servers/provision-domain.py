#!/usr/bin/python3
"""Makes the template of a test domain: a fresh Samba AD, two OUs, and a service account that may do on OU=People only
what the agent needs. Argument: an empty directory. Reads one JSON object on stdin (passwords never show in a process
list). Touches no sysvol ACLs, so it needs neither root nor extended attributes."""
import json
import logging
import os
import shutil
import sys

sys.dont_write_bytecode = True

import samba.provision
from samba import dsdb
from samba.auth import system_session
from samba.param import LoadParm

from domain_edits import RIGHTS, delegate, open_database


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


def fill(wish, directory):
    database = open_database(os.path.join(directory, 'etc', 'smb.conf'))
    base = str(database.get_default_basedn())
    for ou in ('People', 'Outside'):
        database.create_ou(f'OU={ou},{base}')
    name = wish['serviceAccount']
    database.newuser(name, wish['servicePassword'])
    database.setexpiry(f'(sAMAccountName={name})', 0, no_expiry_req=True)
    delegate(database, f'CN={name},CN=Users,{base}', f'OU=People,{base}', RIGHTS)


request = json.load(sys.stdin)
provision(request, sys.argv[1])
fill(request, sys.argv[1])
shutil.rmtree(os.path.join(sys.argv[1], 'state', 'sysvol'), ignore_errors=True)

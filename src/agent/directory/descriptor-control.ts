// The control that asks for parts of a security descriptor, for searches by ldapts.
import { type BerWriter, Control } from 'ldapts'

/** LDAP_SERVER_SD_FLAGS_OID (MS-ADTS §3.1.1.3.4.1.11). */
const SD_FLAGS = '1.2.840.113556.1.4.801'

// SEQUENCE { INTEGER 4 }: the list of access rights, which is the part an ordinary account may read.
const DACL_ONLY = Buffer.of(0x30, 3, 2, 1, 4)

class DescriptorControl extends Control {
  protected override writeControl(writer: BerWriter): void {
    writer.writeBuffer(DACL_ONLY, 0x04)
  }
}

/** Asks for the access control list of the entries alone. */
export const daclControl = (): Control => new DescriptorControl(SD_FLAGS, { critical: true })

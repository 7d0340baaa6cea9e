// Fine-grained password policies of a test domain, made over LDAPS as its administrator does.
import type { Client } from 'ldapts'
import { escapeRdn } from './directory-admin.ts'

/** A policy to make; what is not given is as in a fresh domain. Intervals in the directory's own negative ticks. */
export interface NewPasswordSettings {
  readonly name: string
  /** The lowest wins. */
  readonly precedence: number
  /** DNs of users and groups. */
  readonly appliesTo: readonly string[]
  readonly values?: Readonly<Record<string, string>>
}

/** Makes a policy and gives its DN. */
export async function createPasswordSettings(
  client: Client,
  baseDn: string,
  settings: NewPasswordSettings,
): Promise<string> {
  const dn = `CN=${escapeRdn(settings.name)},CN=Password Settings Container,CN=System,${baseDn}`
  await client.add(dn, {
    objectClass: 'msDS-PasswordSettings',
    'msDS-PasswordSettingsPrecedence': String(settings.precedence),
    'msDS-PasswordReversibleEncryptionEnabled': 'FALSE',
    'msDS-PasswordHistoryLength': '24',
    'msDS-PasswordComplexityEnabled': 'TRUE',
    'msDS-MinimumPasswordLength': '7',
    'msDS-MinimumPasswordAge': '-864000000000',
    'msDS-MaximumPasswordAge': '-36288000000000',
    'msDS-LockoutThreshold': '0',
    'msDS-LockoutDuration': '-18000000000',
    'msDS-LockoutObservationWindow': '-18000000000',
    'msDS-PSOAppliesTo': [...settings.appliesTo],
    ...settings.values,
  })
  return dn
}

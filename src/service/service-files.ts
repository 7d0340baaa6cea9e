// Who may read and own what, in the root directory that a service is installed into.
import { chmodSync, lchownSync, lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** A user with its group. */
export interface Owner {
  readonly uid: number
  readonly gid: number
}

/** Looks a user up in the root's own passwd; undefined: there is none. */
export function findUser(root: string, name: string): Owner | undefined {
  const line = read(join(root, '/etc/passwd'))
    .split('\n')
    .find((one) => one.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** True when everybody may read the file, through every directory above it. */
export function isOpenToAll(path: string): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || (stats.mode & 0o004) === 0) return false
  for (let at = dirname(path); at !== dirname(at); at = dirname(at))
    if ((statSync(at).mode & 0o001) === 0) return false
  return true
}

/** True when the file is the owner's to read, by itself or by its group. */
export function isReadableBy(path: string, owner: Owner | undefined): boolean {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined || owner === undefined) return false
  return (
    (stats.uid === owner.uid && (stats.mode & 0o400) !== 0) ||
    (stats.gid === owner.gid && (stats.mode & 0o040) !== 0)
  )
}

/** True when something in the tree is another's; links are not followed. */
export function hasStranger(path: string, owner: Owner | undefined): boolean {
  if (owner === undefined) return true
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined || stats.uid !== owner.uid || stats.gid !== owner.gid) return true
  return stats.isDirectory() && readdirSync(path).some((name) => hasStranger(join(path, name), owner))
}

/** Gives a tree to its owner; links are not followed. */
export function giveTree(path: string, owner: Owner): void {
  const stats = lstatSync(path)
  lchownSync(path, owner.uid, owner.gid)
  if (stats.isDirectory()) for (const name of readdirSync(path)) giveTree(join(path, name), owner)
}

/** Gives a file to root and its group, with this mode. */
export function giveToGroup(path: string, { gid }: Owner, mode: number): void {
  lchownSync(path, 0, gid)
  chmodSync(path, mode)
}

/** True when the file has this group and mode already. */
export function isGroupsOwn(path: string, owner: Owner | undefined, mode: number): boolean {
  const stats = statSync(path)
  return stats.uid === 0 && stats.gid === owner?.gid && (stats.mode & 0o7777) === mode
}

/** Gives what root put into a directory to the directory's own user, as after a command that root ran for the service. */
export function handOver(directory: string): void {
  const { uid, gid } = statSync(directory)
  if (uid !== 0) giveTree(directory, { uid, gid })
}

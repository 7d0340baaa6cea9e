# Sourced by scripts/demo, scripts/test and scripts/bench: brings the machine to where the project runs. Sets `root`, goes
# there, installs what is missing (Debian packages, then npm packages), and puts the project's own Node first on PATH.
# shellcheck shell=sh
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
cd "$root"
"$root/scripts/ensure-packages" "${packages_for:-all}"

case $(uname -m) in
  x86_64) node_arch=x64 ;;
  aarch64 | arm64) node_arch=arm64 ;;
  *) node_arch=unknown ;;
esac

npm_ci() {
  npm ci --no-progress >>"$npm_log" 2>&1 </dev/null || {
    tail -n 20 "$npm_log" >&2
    echo "npm ci failed (all of its words: $npm_log)" >&2
    exit 1
  }
}

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm_log="$root/.cache/logs/npm.log"
  mkdir -p .cache/logs
  : >"$npm_log"
  npm_path=$PATH
  # On a Node before 20.19 npm leaves out optional packages that ask for a newer one, without a word. There, the Node of this
  # project comes first, by the lock file's own entry, and npm then runs on it.
  if node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a < 20 || (a === 20 && b < 19) ? 0 : 1)'; then
    echo 'installing Node.js 24 for npm'
    rm -rf .cache/runtime
    mkdir -p .cache/runtime
    node -e '
      const [name] = process.argv.slice(1)
      const entry = require("./package-lock.json").packages["node_modules/" + name]
      const manifest = { name: "runtime", version: "1.0.0", dependencies: { [name]: entry.version } }
      const packages = { "": manifest, ["node_modules/" + name]: { ...entry, optional: undefined } }
      const write = (file, value) => require("fs").writeFileSync(".cache/runtime/" + file, JSON.stringify(value))
      write("package.json", manifest)
      write("package-lock.json", { ...manifest, dependencies: undefined, lockfileVersion: 3, requires: true, packages })
    ' "node-linux-$node_arch"
    cd .cache/runtime
    npm_ci
    cd "$root"
    npm_path="$root/.cache/runtime/node_modules/node-linux-$node_arch/bin:$PATH"
  fi
  echo 'installing npm packages'
  PATH=$npm_path
  npm_ci
  rm -rf .cache/runtime
  touch node_modules/.package-lock.json
fi

# npm before 11 does not link the Node that comes as a package, so nothing may rely on node_modules/.bin/node.
PATH="$root/node_modules/node-linux-$node_arch/bin:$root/node_modules/.bin:$PATH"
export PATH
unset NODE_OPTIONS
node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 24 && b >= 15) || (a === 26 && b >= 3) || a > 26 ? 0 : 1)' || {
  echo "Node.js $(node -v) cannot run this project: 24.15 or newer in line 24, or 26.3 or newer, is needed" >&2
  exit 1
}

# How a command may open the ports of a directory server (636, 88): as it is, in a network of its own that has only a
# loopback interface, or as root. A container or a chroot may forbid the second.
low_ports_by() {
  if [ "$(id -u)" = 0 ] || [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -le 88 ]; then
    echo nothing
  elif unshare -Urn true 2>/dev/null; then
    echo namespace
  elif command -v sudo >/dev/null; then
    echo sudo
  else
    echo 'the ports 88 and 636 cannot be opened: run this as root, or install sudo' >&2
    exit 1
  fi
}

# Runs a command where these ports may be opened.
with_low_ports() {
  case $(low_ports_by) in
    nothing) "$@" ;;
    # shellcheck disable=SC2016  # for the inner shell
    namespace) unshare -Urn sh -c 'ip link set lo up && exec "$@"' sh "$@" ;;
    sudo) sudo env PATH="$PATH" ${TMPDIR:+TMPDIR="$TMPDIR"} "$@" ;;
    *) exit 1 ;;
  esac
}

# As with_low_ports, in place of this shell: whatever ends the command's process then ends the whole.
exec_with_low_ports() {
  case $(low_ports_by) in
    nothing) exec "$@" ;;
    # shellcheck disable=SC2016  # for the inner shell
    namespace) exec unshare -Urn sh -c 'ip link set lo up && exec "$@"' sh "$@" ;;
    sudo) exec sudo env PATH="$PATH" ${TMPDIR:+TMPDIR="$TMPDIR"} "$@" ;;
    *) exit 1 ;;
  esac
}

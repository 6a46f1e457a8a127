#!/usr/bin/env bash
# What the tests and the pictures of the board need beside Python's packages: Chromium of this system, axe-core, and
# libfaketime.
# Playwright downloads no browser: the one of the distribution gets its security updates.
set -euo pipefail
cd "$(dirname "$0")/../tests/browser"

# what Debian's package gives, where this is root and has apt
install() {
  [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null || return 1
  apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "$@"
}

if ! command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null; then
  install chromium fonts-dejavu-core ||
    echo "note: no Chromium, and it can't be installed here: the tests in a browser will skip"
fi

# the clock of the pictures; no test needs it
if ! compgen -G '/usr/lib/*/faketime/libfaketime.so.1' >/dev/null; then
  install faketime || echo "note: no libfaketime, and it can't be installed here: no pictures can be made"
fi

# in the version of package-lock.json; whatever is there of another one is replaced
pinned=$(sed -n 's/.*"axe-core": "\([0-9.]*\)".*/\1/p' package.json)
if ! grep -qs "\"version\": \"$pinned\"" node_modules/axe-core/package.json; then
  command -v npm >/dev/null || install npm || true
  npm ci --ignore-scripts --no-audit --no-fund ||
    echo "note: axe-core can't be had from npm: the tests with it will skip"
fi

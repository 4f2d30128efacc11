#!/usr/bin/env bash
# Installs the programs named as arguments when they are missing, from Debian packages of the same
# names, or from the one that has it: as root by itself, otherwise it names the command. Usage: scripts/setup.sh chromium prometheus …
set -euo pipefail
missing=()
for program in "$@"; do
	command -v "$program" >/dev/null || case "$program" in
	systemd-analyze) missing+=(systemd) ;;
	java) missing+=(openjdk-17-jre-headless) ;;
	mvn) missing+=(maven) ;;
	*) missing+=("$program") ;;
	esac
done
[ ${#missing[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ]; then
	echo "missing: ${missing[*]}. Install them and run this again:" >&2
	echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
	exit 1
fi
echo "installing ${missing[*]}"
# Packages must not start their services: the tests start their own, on ports of their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod +x "$policy"
	trap 'rm -f "$policy"' EXIT
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -y -q --no-install-recommends "${missing[@]}"

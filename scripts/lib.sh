# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Functions the scripts share; sourced, never run. Messages go to standard error.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
export LC_ALL=C.UTF-8

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "${0##*/}: $*"
	exit 1
}

# as_root COMMAND…: runs it as root, through sudo when we are not; never waits for a password nobody can type.
as_root() {
	if ((EUID == 0)); then
		"$@"
	elif [[ -t 0 || -t 2 ]]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

# missing_packages GROUP…: the packages of these groups that are not installed, one a line.
missing_packages() {
	local group packages package
	while read -r group packages; do
		[[ " $* " == *" $group "* ]] || continue
		for package in $packages; do
			[[ $(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null) == ?i* ]] || printf '%s\n' "$package"
		done
	done <"$root/scripts/packages" | sort -u
}

# install_packages GROUP…: quiet, and nothing at all when nothing is missing.
install_packages() {
	local missing log
	mapfile -t missing < <(missing_packages "$@")
	((${#missing[@]})) || return 0
	command -v apt-get >/dev/null || die "made for Debian 12; elsewhere, install the like of these first: ${missing[*]}"
	((EUID == 0)) || command -v sudo >/dev/null ||
		die "there is no sudo; as root, run once: apt-get install --no-install-recommends ${missing[*]}"
	say "installing ${#missing[@]} packages: ${missing[*]}"
	log=$(mktemp)
	keep_postgresql_quiet "${missing[@]}"
	keep_etcd_quiet "${missing[@]}"
	if ! apt_install "$log" "${missing[@]}"; then
		as_root apt-get -qq update >>"$log" 2>&1 || true
		apt_install "$log" "${missing[@]}" || {
			let_postgresql_speak
			let_etcd_speak
			tail -n 20 "$log" >&2
			die "could not install the packages; the whole log: $log"
		}
	fi
	rm -f "$log"
	let_postgresql_speak
	let_etcd_speak
}

# apt_install LOG PACKAGE…; simulates first, so that stale package lists are seen before anything changes.
apt_install() {
	local log=$1
	shift
	apt-get -s install --no-install-recommends "$@" >>"$log" 2>&1 || return
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=600 \
		install --no-install-recommends "$@" >>"$log" 2>&1 </dev/null
}

# The PostgreSQL package would make and start a cluster of its own, which nobody asked for: not this time.
postgresql_quiet=/etc/postgresql-common/createcluster.d/tantu.conf
keep_postgresql_quiet() {
	[[ " $* " == *" postgresql-15 "* ]] || return 0
	as_root mkdir -p "${postgresql_quiet%/*}"
	as_root sh -c "echo 'create_main_cluster = false' >$postgresql_quiet"
}
let_postgresql_speak() {
	[[ ! -e $postgresql_quiet ]] || as_root rm -f "$postgresql_quiet"
}

# The package of etcd would start a server, now and at every boot; the tests want only its program. A mask keeps it
# still while it is installed; afterwards whoever wants it may enable it.
etcd_mask=/etc/systemd/system/etcd.service
keep_etcd_quiet() {
	[[ " $* " == *" etcd-server "* && ! -e $etcd_mask ]] || return 0
	as_root mkdir -p "${etcd_mask%/*}"
	as_root ln -s /dev/null "$etcd_mask"
	etcd_is_masked=1
}
let_etcd_speak() {
	[[ ${etcd_is_masked-} ]] || return 0
	as_root rm -f "$etcd_mask" "${etcd_mask%/*}/multi-user.target.wants/etcd.service"
}

# build PRESET [TARGET…]: configures when there is nothing configured here, then builds what changed.
build() {
	local folder=$root/build/$1 preset=$1 log
	shift
	if [[ -e $folder && ! -w $folder ]]; then
		die "$folder belongs to $(stat -c %U "$folder"); remove it or build as that user"
	fi
	if [[ -e $folder/CMakeCache.txt ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$folder/CMakeCache.txt"; then
		rm -rf "$folder" # the tree was moved
	fi
	mkdir -p "$folder"
	log=$folder/build.log
	: >"$log"
	(
		exec 7>"$folder.lock"
		flock 7 # two builds at once would trip over each other
		cd "$root"
		[[ -e $folder/build.ninja ]] || cmake --preset "$preset" >>"$log" 2>&1
		cmake --build --preset "$preset" ${1+--target "$@"} >>"$log" 2>&1
	) || {
		grep -E -A 12 'error|FAILED' "$log" | tail -n 60 >&2 || tail -n 40 "$log" >&2
		say "${0##*/}: the build of $preset failed; the whole log: $log"
		return 1
	}
}

# drop_to USER [SIGNAL]: sets `drop`, what to put before a command so that it runs as that user (we are root or
# that user already), and gets SIGNAL when we die.
drop_to() {
	drop=()
	if ((EUID == 0)) && [[ $1 != root ]]; then
		drop=(setpriv --reuid "$1" --regid "$(id -g "$1")" --init-groups ${2:+--pdeathsig "$2"}
			env HOME=/ USER="$1" LOGNAME="$1")
	elif [[ ${2-} ]]; then
		drop=(setpriv --pdeathsig "$2")
	fi
}

# as_user USER COMMAND…
as_user() {
	local drop
	drop_to "$1"
	shift
	"${drop[@]}" "$@"
}

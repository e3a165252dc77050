#!/bin/sh
# A small root of Debian's unstable suite, for the Pythons that this system does not have yet. Needs root.
#   tools/debian_root.sh make PACKAGE…   makes it or brings it up to date; says which packages the suite lacks
#   tools/debian_root.sh run COMMAND…    runs a command inside, in this tree, which is there at the same path
#   tools/debian_root.sh path            where it is: kept between runs, below ~/.cache or XDG_CACHE_HOME
#   tools/debian_root.sh remove          takes it away
# What is mounted is mounted in a namespace of the command's own, and gone when the command has ended: no mount
# outlives it, and whatever removes the root can never reach this system's /dev. All processes of a command end
# with it.
set -eu

tree=$(cd "$(dirname "$0")/.." && pwd -P)
home=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
root=${XDG_CACHE_HOME:-$home/.cache}/csploop/debian-unstable
# Outside of the root, so that a half made one has none: what is installed, and who uses it now.
stamp=$root.packages
lock=$root.lock
# A kept root takes the suite's news after so many days.
days=7

fail() {
    echo "$*" >&2
    exit 1
}

# apart COMMAND…: runs it in namespaces of its own, for mounts and processes.
apart() {
    unshare --mount --pid --fork --kill-child "$@"
}

# Of the machine's own apt configuration, the mirror that has Debian itself.
mirror() {
    apt-get indextargets --format '$(REPO_URI)' \
        'Created-By: Packages' 'Origin: Debian' 'Label: Debian' 'Component: main' | head -n 1
}

make_root() {
    command -v debootstrap >/dev/null || fail "debootstrap is not here"
    from=$(mirror)
    [ -n "$from" ] || fail "apt has no list of a mirror of Debian (apt-get update?)"
    echo "making a root of Debian's unstable suite in $root"
    rm -rf --one-file-system "$root" "$root.new" "$stamp"
    mkdir -p "$root.new"
    # It mounts /proc and /sys while it works.
    apart debootstrap --variant=minbase --include=ca-certificates sid "$root.new" "$from" >"$root.log" 2>&1 || {
        tail -n 5 "$root.log" >&2
        fail "debootstrap failed; all it said is in $root.log"
    }
    # A mirror that was frozen some time ago has a Release file that has expired.
    cat >"$root.new/etc/apt/apt.conf.d/99csploop" <<'END'
Acquire::Check-Valid-Until "false";
APT::Install-Recommends "false";
END
    echo force-unsafe-io >"$root.new/etc/dpkg/dpkg.cfg.d/csploop"
    printf '#!/bin/sh\nexit 101\n' >"$root.new/usr/sbin/policy-rc.d" # no service starts by being installed
    chmod +x "$root.new/usr/sbin/policy-rc.d"
    mv "$root.new" "$root"
}

# Installs those of the packages that the suite has on this day.
install_packages() {
    if ! apart "$0" inside / apt-get update -q >"$root.log" 2>&1; then
        tail -n 3 "$root.log" >&2
        [ "$(cat "$stamp" 2>/dev/null)" = "$*" ] || fail "apt-get update failed in $root"
        echo "there is no news of the suite; going on with what was installed before"
        return
    fi
    rm -f "$stamp" # what stops midway is made anew the next time
    # shellcheck disable=SC2016  # for the shell inside
    apart "$0" inside / sh -c '
        set -e
        export DEBIAN_FRONTEND=noninteractive
        apt-get dist-upgrade -q -y
        for package; do
            if apt-cache show "$package" >/dev/null 2>&1; then
                set -- "$@" "$package"
            else
                echo "the suite lacks $package"
            fi
            shift
        done
        apt-get install -q -y "$@"
        apt-get clean' sh "$@" >"$root.log" 2>&1 || {
        tail -n 5 "$root.log" >&2
        fail "installing packages into $root failed; all it said is in $root.log"
    }
    grep '^the suite lacks' "$root.log" || true
    echo "$*" >"$stamp"
}

is_finished() {
    [ -d "$root" ] && [ -e "$stamp" ]
}

# Whether these packages were installed, and not long ago.
is_fresh() {
    is_finished && [ "$(cat "$stamp")" = "$*" ] && [ -z "$(find "$stamp" -mtime "+$days")" ]
}

make() {
    [ "$(id -u)" = 0 ] || fail "making a root of Debian's unstable suite needs to be root"
    if is_fresh "$@"; then
        return
    fi
    mkdir -p "$(dirname "$root")"
    wait_until_unused
    is_finished || make_root
    if ! is_fresh "$@"; then
        echo "installing what it lacks or what is newer"
        install_packages "$@"
    fi
}

# Also keeps everybody else out, until this program has ended.
wait_until_unused() {
    exec 9>>"$lock"
    if ! flock --nonblock 9; then
        echo "waiting until nobody uses $root"
        flock 9
    fi
}

# show FILE: what this system has there, on how it finds and whom it trusts, is there inside, too.
show() {
    if [ -e "$1" ]; then
        [ -e "$root$1" ] || touch "$root$1"
        mount --bind "$(readlink -f "$1")" "$root$1"
    fi
}

# The first process of the namespaces. What it starts has the usual signals, which a first process has not.
inside() {
    directory=$1
    shift
    mount -t proc proc "$root/proc"
    mount -t sysfs -o ro sysfs "$root/sys"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    show /etc/resolv.conf
    show /etc/hosts
    if [ "$directory" = "$tree" ]; then # else packages are installed, which write some of these
        show /etc/ssl/certs/ca-certificates.crt
        show /etc/pip.conf
        mkdir -p "$root$tree"
        mount --bind "$tree" "$root$tree"
    fi
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
    unset TMPDIR
    status=0
    # shellcheck disable=SC2016  # for the shell inside
    chroot "$root" /bin/sh -c 'cd "$0" && exec "$@"' "$directory" "$@" 9>&- || status=$?
    exit "$status"
}

case ${1:-} in
make | inside)
    "$@"
    ;;
run)
    shift
    is_finished || fail "there is no finished root in $root: tools/debian_root.sh make"
    # Held by whoever has started the command, and by the first process inside: not by the command.
    exec 9>>"$lock"
    flock --shared 9
    exec unshare --mount --pid --fork --kill-child "$0" inside "$tree" "$@"
    ;;
path)
    echo "$root"
    ;;
remove)
    if [ -e "$lock" ]; then
        wait_until_unused
        rm -rf --one-file-system "$root" "$root.new" "$stamp" "$root.log"
    fi
    ;;
*)
    sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0"
    exit 2
    ;;
esac

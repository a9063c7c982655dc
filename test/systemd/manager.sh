#!/bin/bash
# Runs a command as a user of its own under a real `systemd --user`, on a machine whose first process need not be
# systemd. Needs root. Usage: manager.sh COMMAND [ARGUMENT…]; its exit code is the command's.
#
# The manager lives in a cgroup and in namespaces of its own, without a network: outside of them one that is started by root would take
# every process of the machine for its own and move it. All of it is gone when the command has ended, and when this script has, however
# it ends; only after a kill -9 an empty cgroup is left, which the next run removes.
set -eu
uid=4242 user=mosaic-test

if [ "${1:-}" != --inside ]; then
  root=/sys/fs/cgroup
  [ -e $root/cgroup.controllers ] || root=$root/unified
  [ -e $root/cgroup.controllers ] || { echo "cgroup v2 is not mounted here" >&2; exit 125; }
  group=$root/mosaic-test.$$
  # Inner groups go first; one that is not empty stays.
  remove() { find "$1" -depth -type d -exec rmdir {} + 2>/dev/null || true; }
  for old in $root/mosaic-test.*; do [ -e "/proc/${old##*.}" ] || remove "$old"; done
  mkdir "$group"
  clean() {
    # Ending it ends all inside: it is the parent of their first process.
    [ -z "${inside:-}" ] || kill -KILL "$inside" 2>/dev/null || true
    for _ in $(seq 100); do
      remove "$group"
      [ -e "$group" ] || break
      sleep 0.05
    done
    # A home with a long path has its sockets there. Another run's are not touched.
    compgen -G "$root/mosaic-test.*" >/dev/null || find /tmp -maxdepth 1 -uid $uid -exec rm -rf {} + || true
  }
  trap clean EXIT
  for name in INT:130 TERM:143 HUP:129; do trap "exit ${name#*:}" "${name%:*}"; done
  # In the background, since a shell hears of signals only between two commands; its input stays the caller's.
  (
    echo $BASHPID >"$group/cgroup.procs"
    exec setpriv --pdeathsig KILL unshare --net --mount --pid --fork --cgroup --ipc --uts --propagation private --kill-child \
      bash "$0" --inside "$@"
  ) <&0 &
  inside=$!
  code=0
  wait $inside || code=$?
  inside=
  exit $code
fi
shift

ip link set lo up # and nothing else: whatever runs in here provably calls nobody
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/systemd/system "/run/user/$uid" /run/home /run/tmp /run/etc
chown $uid:$uid "/run/user/$uid" /run/home
chmod 700 "/run/user/$uid"
chmod 1777 /run/tmp
for file in passwd group; do cp /etc/$file /run/etc/$file; done
echo "$user:x:$uid:$uid::/run/home:/bin/sh" >>/run/etc/passwd
echo "$user:x:$uid:" >>/run/etc/group
for file in passwd group; do mount --bind /run/etc/$file /etc/$file; done
# What `loginctl enable-linger` leaves behind; there is no logind here.
mkdir -p /run/linger /var/lib/systemd
mount --bind /run/linger /var/lib/systemd
mkdir -p /run/linger/linger
chown $uid /run/linger/linger
touch /run/linger/linger/$user

mkdir /sys/fs/cgroup/outer /sys/fs/cgroup/user /sys/fs/cgroup/user/login.scope
echo $$ >/sys/fs/cgroup/outer/cgroup.procs
chown -R $uid:$uid /sys/fs/cgroup/user

as_user() {
  setpriv --reuid=$uid --regid=$uid --clear-groups env -i PATH="$PATH" HOME=/run/home USER=$user TMPDIR=/run/tmp \
    LANG=C.UTF-8 XDG_RUNTIME_DIR=/run/user/$uid DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/$uid/bus "$@"
}

# A manager that was told to end comes back, as the machine's first process would see to it.
while :; do
  (
    echo $BASHPID >/sys/fs/cgroup/user/cgroup.procs
    as_user /lib/systemd/systemd --user --log-target=console >>/run/manager.log 2>&1
  ) || true
done &
for _ in $(seq 200); do
  [ "$(as_user systemctl --user is-system-running 2>/dev/null)" = running ] && break
  sleep 0.05
done
[ "$(as_user systemctl --user is-system-running)" = running ] || { cat /run/manager.log >&2; exit 125; }
code=0
(
  echo $BASHPID >/sys/fs/cgroup/user/login.scope/cgroup.procs
  as_user "$@"
) || code=$?
exit $code

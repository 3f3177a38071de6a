#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# Owns the tests of `mkvm console` on a terminal, and of commands whose machine misbehaves: a
# script plays the machine. Needs no accelerator. TAP on stdout. MKVM: the binary to test.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
if ! command -v python3 >/dev/null; then
	echo "1..0 # SKIP python3 is not installed"
	exit 4
fi
MKVM=${MKVM:-$top/userspace/mkvm}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
MKVM_RUNTIME_DIR=$dir
export MKVM MKVM_RUNTIME_DIR
timeout 60 python3 - <<'PY'
import fcntl, json, os, pty, select, socket, struct, subprocess, sys, termios, threading, time

mkvm, folder = os.environ["MKVM"], os.environ["MKVM_RUNTIME_DIR"]
points = failed = 0

def point(good, name, shown=""):
    global points, failed
    points += 1
    print(("ok" if good else "not ok"), points, "-", name, flush=True)
    if not good:
        failed = 1
        print("# %r" % (shown,), flush=True)

GREETING = b'{"QMP":{},"mkvm":{"protocol":1}}\r\n'

class Machine:
    """Takes the name "vm" and plays one conversation as the function says."""
    def __init__(self, play):
        self.lock = open(folder + "/vm.lock", "w")
        fcntl.fcntl(self.lock, 37, struct.pack("hhqqi4x", 1, 0, 0, 0, 0))	# F_OFD_SETLK
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(folder + "/vm.sock")
        self.listener.listen(1)
        self.thread = threading.Thread(target=self.run, args=(play,), daemon=True)
        self.thread.start()
    def run(self, play):
        self.conn, _ = self.listener.accept()
        try:
            play(self.conn)
        except OSError:
            pass
    def end(self):
        self.listener.close()
        self.thread.join(5)
        os.unlink(folder + "/vm.sock")
        os.unlink(folder + "/vm.lock")
        self.lock.close()

def line(conn):
    data = b""
    while not data.endswith(b"\n"):
        data += conn.recv(1)
    return json.loads(data)

typed = b""
def console_machine(conn):
    global typed
    conn.sendall(GREETING)
    request = line(conn)
    if request["execute"] != "console":
        return
    conn.sendall(b'{"event":"STOP"}\r\n{"return":{}}\r\nold output\r\n')
    while True:
        data = conn.recv(100)
        if not data:
            return
        typed += data
        conn.sendall(b"<" + data + b">")
        if data == b"off":
            conn.close()
            return

def on_terminal(*keys):
    """Run mkvm console on a terminal; what it showed, its status, and whether the terminal is whole."""
    global typed
    typed = b""
    machine = Machine(console_machine)
    control, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    child = subprocess.Popen([mkvm, "console", "vm"], stdin=terminal, stdout=terminal, stderr=terminal)
    shown, raw = b"", None
    def watch(seconds):
        nonlocal shown
        while select.select([control], [], [], seconds)[0]:
            shown += os.read(control, 1000)
    until = time.time() + 10
    while b"old output" not in shown and time.time() < until:
        watch(0.1)
    raw = not termios.tcgetattr(terminal)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)
    for key in keys:
        os.write(control, key)
        watch(0.2)
    try:
        status = child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        status = None
    watch(0.1)
    after = termios.tcgetattr(terminal)
    machine.conn.close()
    machine.end()
    os.close(control)
    os.close(terminal)
    return shown, status, raw, before == after

shown, status, raw, whole = on_terminal(b"l", b"s\r", b"\x03", b"\x01\x01", b"\x01h", b"\x01x")
point(raw, "the terminal is raw meanwhile")
point(b"old output" in shown, "it begins with what the guest has said", shown)
point(typed == b"ls\r\x03\x01", "all keys reach the guest, Ctrl-C, too, Ctrl-A Ctrl-A as Ctrl-A", typed)
point(b"<l>" in shown, "its answers are shown", shown)
point(b"Ctrl-A x  leave" in shown, "Ctrl-A h lists the keys", shown)
point(status == 0, "Ctrl-A x leaves", status)
point(whole, "and gives the terminal back")
shown, status, raw, whole = on_terminal(b"off")
point(status == 0 and whole, "so does the machine's end", (status, whole))

machine = Machine(console_machine)
run = subprocess.run([mkvm, "console", "vm"], input=b"off", capture_output=True, timeout=20)
machine.end()
point(run.returncode == 0 and run.stdout == b"old output\r\n<off>" and not run.stderr,
      "without a terminal only the stream is written", run)
point(typed.endswith(b"off"), "and input is sent as it is", typed)

def attempt(play, *args):
    machine = Machine(play)
    start = time.time()
    run = subprocess.run([mkvm, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    machine.end()
    return run, time.time() - start

def garbage(conn):
    conn.sendall(b"\xff\x00 220 smtp ready\n")
    time.sleep(1)
run, _ = attempt(garbage, "pause", "vm")
point(run.returncode == 1 and "does not answer" in run.stderr and len(run.stderr.splitlines()) == 1,
      "what is no machine is told from one", run)
def leaves(conn):
    conn.sendall(GREETING)
    line(conn)
    conn.close()
run, _ = attempt(leaves, "pause", "vm")
point(run.returncode == 1 and "vm does not answer" in run.stderr, "one that ends instead of an answer", run)
def refuses(conn):
    conn.sendall(GREETING)
    line(conn)
    conn.sendall(b'{"error":{"class":"GenericError","desc":"not today"}}\r\n')
    time.sleep(1)
run, _ = attempt(refuses, "reset", "vm")
point(run.returncode == 1 and run.stderr == "mkvm: vm: not today\n", "an error is shown", run)
def floods(conn):
    conn.sendall(GREETING)
    try:
        while True:
            conn.sendall(b"x" * 65536)
    except OSError:
        pass
run, seconds = attempt(floods, "pause", "vm")
point(run.returncode == 1 and "does not answer" in run.stderr, "one that never ends its line", run)
def busy(conn):
    conn.sendall(GREETING)
    line(conn)
    conn.sendall(b'{"return":{"status":"running","running":true}}\r\n')
    line(conn)
    conn.sendall(b'{"return":{}}\r\n')
    conn.recv(1)
run, seconds = attempt(busy, "stop", "-w", "1", "vm")
point(run.returncode == 1 and "has not powered off within 1 seconds" in run.stderr and 0.9 < seconds < 10,
      "stop waits as long as it is told", (run, seconds))
point(not os.listdir(folder), "nothing is left behind", os.listdir(folder))
print("1..%d" % points)
sys.exit(failed)
PY

"""People with keys: OpenPGP keyrings and SSH keys, made by the real programs, and repositories signed with them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from devcluster.git_repository import WorkingRepo, hermetic_env

PASSPHRASE = "correct 'horse' \"battery\" $(staple)"


class Keyring:
    """A person's gpg, where keys are made and signatures verified. Its agent is ended after each use."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.plain = self.make("Plain", "")
        self.locked = self.make("Locked", PASSPHRASE)
        self.expired = self.make("Expired", "", "2020-02-01", "--faked-system-time", "20200101T000000")
        self.public = self.gpg("--export", "--armor", "Plain")

    def gpg(self, *args: str, passphrase: str = "") -> bytes:
        """Run gpg and return what it printed."""
        options = ["--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase", passphrase]
        env = hermetic_env(self.home) | {"GNUPGHOME": str(self.home)}
        done = subprocess.run(["gpg", *options, *args], env=env, capture_output=True, check=True)
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], env=env, check=True)
        return done.stdout

    def make(self, name: str, passphrase: str, expires: str = "never", *options: str) -> bytes:
        """A new key, exported as a Secret holds it."""
        uid = f"{name} <{name.lower()}@example.com>"
        self.gpg(*options, "--quick-generate-key", uid, "ed25519", "sign", expires, passphrase=passphrase)
        return self.gpg("--export-secret-keys", "--armor", uid, passphrase=passphrase)

    def verify(self, bare: Path) -> str:
        """What git says of the signature of main's head."""
        env = hermetic_env(self.home) | {"GNUPGHOME": str(self.home)}
        command = ["git", f"--git-dir={bare}", "log", "-1", "--format=%G? %GS", "main"]
        return subprocess.run(command, env=env, capture_output=True, check=True).stdout.decode().strip()

    def key_id(self, name: str) -> str:
        """The long id of a person's key, as conditions name it."""
        listed = self.gpg("--with-colons", "--list-keys", name).decode().splitlines()
        return next(line.split(":")[4] for line in listed if line.startswith("pub:"))

    def close(self) -> None:
        """End the agent that git's use of it has left."""
        env = hermetic_env(self.home) | {"GNUPGHOME": str(self.home)}
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], env=env, check=True)

    def sign_commits(self, work: WorkingRepo, name: str, *, at: str = "") -> None:
        """From now on, what is committed and tagged there can be signed as `name`, by gpg's clock standing `at`."""
        work.env["GNUPGHOME"] = str(self.home)
        wrapper = self.home / "gpg-then"
        wrapper.write_text(f'#!/bin/sh\nexec gpg {f"--faked-system-time {at}" if at else ""} "$@"\n')
        wrapper.chmod(0o700)
        work.git("config", "gpg.program", str(wrapper))
        work.git("config", "user.signingKey", f"{name.lower()}@example.com")
        work.git("config", "gpg.format", "openpgp")


class SshKey:
    """A person's SSH key pair, made in `folder`."""

    def __init__(self, folder: Path, name: str, algorithm: str = "ed25519") -> None:
        self.path = folder / name
        command = ["ssh-keygen", "-q", "-t", algorithm, "-N", "", "-C", name, "-f", str(self.path)]
        subprocess.run(command, check=True)
        self.public = self.path.with_suffix(".pub").read_text().strip()
        words = subprocess.run(["ssh-keygen", "-lf", str(self.path)], capture_output=True, check=True).stdout.split()
        self.fingerprint = words[1].decode()

    def sign_commits(self, work: WorkingRepo) -> None:
        """From now on, what is committed and tagged in the working repository can be signed with it."""
        work.git("config", "user.signingKey", str(self.path))
        work.git("config", "gpg.format", "ssh")


def signed(work: WorkingRepo, files: dict[str, str], message: str = "signed") -> str:
    """A signed commit, pushed; its hash."""
    for name, content in files.items():
        (work.path / name).parent.mkdir(parents=True, exist_ok=True)
        (work.path / name).write_text(content)
    work.git("add", "-A")
    work.git("commit", "-q", "-S", "--allow-empty", "-m", message)
    work.push()
    return work.head()


def signed_tag(work: WorkingRepo, name: str, commit: str = "HEAD") -> str:
    """A signed tag, pushed; the hash of the tag object."""
    work.git("tag", "-s", "-m", name, name, commit)
    work.push(f"refs/tags/{name}")
    return work.git("rev-parse", f"refs/tags/{name}")

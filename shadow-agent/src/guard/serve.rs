//! The guard's own process: one loop over two sockets.

use std::{
    collections::BTreeMap,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::{
        fd::{BorrowedFd, OwnedFd},
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    path::PathBuf,
    process::ExitCode,
    thread,
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::{FdFlags, dup, fcntl_setfd},
    stdio::{stderr, stdin, stdout},
};

use super::LINE;
use crate::{
    capture::{control::Control, guard::LOCK, tcx},
    privs::{self, Needs},
};

/// How long a client of the socket may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// How often a lock that is taken is tried again, and after which time.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(50);

/// Runs as the guard: standard input is the listening socket, standard output the connection to the agent, standard
/// error the control map.
pub fn serve() -> anyhow::Result<ExitCode> {
    let own = |fd: BorrowedFd<'static>| -> io::Result<OwnedFd> {
        let fd = dup(fd)?;
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        Ok(fd)
    };
    let listener = UnixListener::from(own(stdin())?);
    let agent = UnixStream::from(own(stdout())?);
    let control = Control::from_fd(own(stderr())?)?;
    // Its purpose needs no more: asking for programs at hooks, and writing one map.
    let needs = Needs {
        clsact: true,
        read: vec![PathBuf::from("/proc")],
        ..Needs::default()
    };
    privs::before_threads(&needs)?;
    listener.set_nonblocking(true)?;
    let mut agent = BufReader::new(agent);
    let mut locks = BTreeMap::new();
    loop {
        let mut fds = [
            PollFd::new(agent.get_ref(), PollFlags::IN),
            PollFd::new(&listener, PollFlags::IN),
        ];
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        let [notified, asked] = fds.map(|fd| !fd.revents().is_empty());
        if asked && let Ok((client, _)) = listener.accept() {
            // A client that goes away has its order carried out all the same.
            drop(obey(&client, &control));
        }
        if notified {
            let mut line = String::new();
            let read = agent.by_ref().take(LINE).read_line(&mut line)?;
            if read == 0 {
                // The agent has ended.
                return Ok(ExitCode::SUCCESS);
            }
            let answer = answer(line.trim_end(), &mut locks);
            agent.get_mut().write_all(format!("{answer}\n").as_bytes())?;
        }
    }
}

/// Carries out the order of a client, who could open the socket and so may give it.
fn obey(client: &UnixStream, control: &Control) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_read_timeout(Some(PATIENCE))?;
    client.set_write_timeout(Some(PATIENCE))?;
    let mut line = String::new();
    BufReader::new(client).take(LINE).read_line(&mut line)?;
    let answer = match line.trim_end() {
        "kill" => match control.disarm() {
            Ok(()) => "killed".to_owned(),
            Err(error) => error.to_string(),
        },
        _ => "only kill is understood".to_owned(),
    };
    let mut client = client;
    client.write_all(format!("{answer}\n").as_bytes())
}

fn answer(order: &str, locks: &mut BTreeMap<u32, UnixListener>) -> String {
    let words: Vec<&str> = order.split(' ').collect();
    let [verb, number] = *words.as_slice() else {
        return "two words are expected".to_owned();
    };
    let Ok(interface) = number.parse() else {
        return "an interface is expected".to_owned();
    };
    match verb {
        "lock" => lock(interface, locks, TRIES).unwrap_or_else(|error| error.to_string()),
        "unlock" => {
            locks.remove(&interface);
            "free".to_owned()
        }
        "order" => {
            let hooks = [tcx::INGRESS, tcx::EGRESS, tcx::NETKIT_PEER];
            let found = hooks.map(|hook| programs(tcx::programs(interface, hook)));
            found.join(" ")
        }
        _ => "unknown".to_owned(),
    }
}

fn lock(interface: u32, locks: &mut BTreeMap<u32, UnixListener>, tries: u32) -> io::Result<String> {
    let name = SocketAddr::from_abstract_name(format!("{LOCK}{interface}"))?;
    match UnixListener::bind_addr(&name) {
        Ok(lock) => {
            locks.insert(interface, lock);
            Ok("held".to_owned())
        }
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            if locks.contains_key(&interface) {
                return Ok("held".to_owned());
            }
            if tries > 0 {
                // An agent that has just been killed: its guard ends within milliseconds.
                thread::sleep(PAUSE);
                return lock(interface, locks, tries - 1);
            }
            Ok("taken".to_owned())
        }
        Err(error) => Err(error),
    }
}

fn programs(found: io::Result<Vec<u32>>) -> String {
    match found {
        Ok(ids) if ids.is_empty() => "-".to_owned(),
        Ok(ids) => {
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            ids.join(",")
        }
        // Not a netkit device, or a kernel without TCX: nothing is there.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => "-".to_owned(),
        Err(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_is_locked_once_in_a_network_namespace() {
        // A number that no interface has.
        let number = u32::MAX - 7;
        let (mut mine, mut others) = (BTreeMap::new(), BTreeMap::new());
        assert_eq!(answer(&format!("lock {number}"), &mut mine), "held");
        assert_eq!(
            answer(&format!("lock {number}"), &mut mine),
            "held",
            "again by the same"
        );
        let taken = answer(&format!("lock {number}"), &mut others);
        assert_eq!(taken, "taken");
        assert_eq!(answer(&format!("unlock {number}"), &mut mine), "free");
        assert_eq!(answer(&format!("lock {number}"), &mut others), "held");
        for wrong in ["", "lock", "lock x", "lock 1 2", "steal 1"] {
            let said = answer(wrong, &mut mine);
            assert!(said != "held" && said != "taken", "{wrong}: {said}");
        }
    }
}

//! A `weir run --metrics-listen` of its own, and real scrapes of it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::control::{LONG, weir_in};
use crate::promlint;
use weir_tests::Exposition;

/// A process that serves metrics. Killed when it is dropped.
pub(crate) struct Served {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Served {
    /// Starts these queries, and waits until the endpoint is there.
    pub(crate) fn start(folder: &Path, args: &[&str]) -> Served {
        Served::start_with(folder, args, &[], Stdio::null())
    }

    /// The same with these variables in its environment, and this as its standard output.
    pub(crate) fn start_with(folder: &Path, args: &[&str], environment: &[(&str, &str)], stdout: Stdio) -> Served {
        let mut command = weir_in(folder, &[&["run", "--metrics-listen", "127.0.0.1:0"], args].concat());
        command.envs(environment.iter().copied());
        let command = command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command");
        let mut stderr = BufReader::new(child.stderr.take().expect("standard error"));
        let mut line = String::new();
        stderr.read_line(&mut line).expect("a line");
        let url = line.trim().strip_prefix("metrics at http://").and_then(|url| url.strip_suffix("/metrics"));
        let address = url.unwrap_or_else(|| panic!("no endpoint: {line}")).parse().expect("an address");
        // What it says from here on has to go somewhere.
        std::thread::spawn(move || drop(std::io::copy(&mut stderr, &mut std::io::sink())));
        Served { child, address }
    }

    /// Writes this to its standard input.
    pub(crate) fn feed(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().expect("standard input");
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).expect("records");
    }

    /// The status and body of what it answers.
    pub(crate) fn ask(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(LONG)).expect("a time-out");
        write!(stream, "GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        assert_eq!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8"), path == "/metrics");
        (head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned())
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let (status, body) = self.ask(path);
        assert_eq!(status, "200", "{path}: {body}");
        body
    }

    /// Scrapes it, and holds that the text keeps every rule.
    pub(crate) fn scrape(&self) -> Exposition {
        let text = self.get("/metrics");
        let read = Exposition::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(promlint::faults(&read), Vec::<String>::new());
        promtool(&text);
        read
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What Prometheus' own tool finds wrong, where it is installed. It also has an opinion on the names that guests chose.
fn promtool(text: &str) {
    let tool = Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut tool) = tool else { return };
    tool.stdin.take().expect("standard input").write_all(text.as_bytes()).expect("the text");
    let told = tool.wait_with_output().expect("promtool");
    let said = String::from_utf8_lossy(&told.stderr);
    // 3 says that a name is not as they would have it.
    let of_guests = || said.lines().all(|line| line.is_empty() || line.starts_with("weir_guest_"));
    assert!(told.status.success() || (told.status.code() == Some(3) && of_guests()), "{said}");
}

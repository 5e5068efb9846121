//! A process for the tests of the supervisor: its arguments are what it does, one after the other. `supervise FOLDER COUNT STEP…` is a
//! supervisor of such processes instead, to be killed.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use weir_frame::{
    FrameReceiver, FrameSender, FromWorker, LineLevel, QueryEnd, QueryId, RequestId, Steering, ToWorker, VERSION,
    WallReport, WallState, WorkerRole, from_standard_input,
};
use weir_tenancy::{Supervisor, TenancyEvent, TenancySettings, WorkerSpec, take_place};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("connector") => weir_tenancy::connector_main(|_, _| Ok(Vec::new())),
        Some("supervise") => supervise(&arguments),
        _ => act(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            drop(writeln!(io::stderr(), "{error}"));
            ExitCode::FAILURE
        }
    }
}

fn supervise(arguments: &[String]) -> io::Result<()> {
    let [_, folder, count, steps @ ..] = arguments else { return Err(io::ErrorKind::InvalidInput.into()) };
    let (supervisor, events) = Supervisor::new(TenancySettings::new(folder)).map_err(io::Error::other)?;
    let orphans = supervisor.status().map_err(io::Error::other)?.orphans_ended;
    println!("orphans {orphans}");
    let count: usize = count.parse().map_err(io::Error::other)?;
    for number in 0..count {
        let mut spec = WorkerSpec::new(format!("tenant-{number}"), steps);
        spec.lock = Some(format!("{folder}/lock-{number}").into());
        supervisor.start(spec).map_err(io::Error::other)?;
    }
    for event in events {
        match event {
            TenancyEvent::Spawned { pid, .. } => println!("pid {pid}"),
            TenancyEvent::Greeted { worker, .. } => println!("greeted {}", worker.0),
            _ => {}
        }
    }
    Ok(())
}

/// The process's side of its socket.
struct Me {
    sender: FrameSender<FromWorker>,
    receiver: FrameReceiver<ToWorker>,
    role: WorkerRole,
    queries: Vec<QueryId>,
    // Held, and otherwise of no use.
    handed: Vec<std::os::fd::OwnedFd>,
    asked: u64,
}

fn act(steps: &[String]) -> io::Result<()> {
    let (sender, receiver) = from_standard_input().map_err(io::Error::other)?;
    let mut me = Me { sender, receiver, role: WorkerRole::Tenant, queries: Vec::new(), handed: Vec::new(), asked: 0 };
    steps.iter().try_for_each(|step| me.step(step))
}

impl Me {
    fn step(&mut self, step: &str) -> io::Result<()> {
        let (verb, what) = step.split_once(':').unwrap_or((step, ""));
        let number = || what.parse::<u64>().map_err(io::Error::other);
        match verb {
            "hello" => self.hello()?,
            "serve" => self.serve()?,
            "say" => println!("{what}"),
            "part" => {
                print!("{what}");
                io::stdout().flush()?;
            }
            "flood" => {
                let line = [b"x".repeat(99), b"\n".to_vec()].concat().repeat(100);
                for _ in 0..number()? {
                    io::stdout().write_all(&line)?;
                }
            }
            "log" => {
                for number in 0..number()? {
                    let text = format!("line {number}");
                    self.send(FromWorker::Log { level: LineLevel::Info, target: "t".to_owned(), text })?;
                }
            }
            "progress" => {
                for _ in 0..number()? {
                    for query in self.queries.clone() {
                        self.send(FromWorker::Progress { query, bytes: vec![7; 1 << 10] })?;
                    }
                }
            }
            // As many queries as are named are waited for and started.
            "take" => {
                while (self.queries.len() as u64) < number()? {
                    self.receive()?;
                }
            }
            "held" => self.send(FromWorker::Work { held: number()?, done: 0 })?,
            "work" => {
                for done in 1..=number()? {
                    std::thread::sleep(Duration::from_millis(20));
                    self.send(FromWorker::Work { held: 1, done })?;
                }
                self.send(FromWorker::Work { held: 0, done: number()? })?;
            }
            "abort" => std::process::abort(),
            "exit" => std::process::exit(i32::try_from(number()?).unwrap_or(1)),
            "signal" => {
                let raw = i32::try_from(number()?).unwrap_or(0);
                let signal = Signal::from_named_raw(raw).ok_or(io::ErrorKind::InvalidInput)?;
                rustix::process::kill_process(rustix::process::getpid(), signal)?;
                hang();
            }
            "starve" => {
                let limit = Some(8 << 20);
                setrlimit(Resource::Data, Rlimit { current: limit, maximum: limit })?;
                let much: Vec<u8> = vec![1; 64 << 20];
                println!("{}", much.len());
            }
            "garbage" => self.raw(&[0xff; 64])?,
            "half" => self.raw(&[100, 0, 0, 0, 8, 0, 0, 0, 1])?,
            "early" => self.send(FromWorker::Work { held: 0, done: 0 })?,
            // Asks for a connection, and writes a line into it, or prints why it was refused.
            "connect" => self.connect(what)?,
            "reached" => self.send(FromWorker::Reached { request: RequestId(1) })?,
            "again" => self.send(FromWorker::Hello { version: VERSION, role: self.role, walls: Vec::new() })?,
            "close" => self.socket()?.shutdown(std::net::Shutdown::Both)?,
            "hang" => hang(),
            "threads" => {
                for _ in 0..number()? {
                    std::thread::spawn(hang);
                }
                hang();
            }
            "spin" => {
                let until = std::time::Instant::now() + Duration::from_millis(number()?);
                while std::time::Instant::now() < until {}
            }
            // Aborts at the first visits of this file, as often as the script says.
            "until" => {
                let (path, count) = what.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
                let mut file = OpenOptions::new().create(true).append(true).open(path)?;
                file.write_all(b"x")?;
                if file.metadata()?.len() <= count.parse().map_err(io::Error::other)? {
                    std::process::abort();
                }
            }
            "surroundings" => self.surroundings()?,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("no such step: {step}"))),
        }
        Ok(())
    }

    fn send(&self, frame: FromWorker) -> io::Result<()> {
        self.sender.send(&frame, &[]).map_err(io::Error::other)
    }

    fn socket(&self) -> io::Result<UnixStream> {
        Ok(UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?))
    }

    fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket()?.write_all(bytes)
    }

    fn hello(&mut self) -> io::Result<()> {
        let Some((ToWorker::Welcome { version, role, cpu, .. }, handed)) =
            self.receiver.receive().map_err(io::Error::other)?
        else {
            return Err(io::Error::other("no welcome"));
        };
        assert_eq!(version, VERSION);
        self.role = role;
        self.handed = handed;
        take_place(&cpu)?;
        let wall = WallReport { name: "none".to_owned(), state: WallState::Missing, note: "\u{1b}[2J".to_owned() };
        self.send(FromWorker::Hello { version, role, walls: vec![wall] })
    }

    /// Does as it is asked, and gives `false` where it was asked to end or nobody is there.
    fn receive(&mut self) -> io::Result<bool> {
        let Some((frame, handed)) = self.receiver.receive().map_err(io::Error::other)? else { return Ok(false) };
        self.handed.extend(handed);
        match frame {
            ToWorker::Run { query, .. } => {
                let (name, claims, warnings) = ("q".to_owned(), Vec::new(), Vec::new());
                self.send(FromWorker::Resolved { query, name, commit_ms: None, claims, warnings })?;
            }
            ToWorker::Go { query } => {
                self.queries.push(query);
                self.send(FromWorker::Started { query })?;
            }
            ToWorker::Read { request, text, .. } => {
                self.send(FromWorker::Draft { request, draft: Some(text), problems: Vec::new() })?;
            }
            ToWorker::Steer { query, steering: Steering::Stop } => {
                self.queries.retain(|it| *it != query);
                self.send(FromWorker::Ended { query, end: QueryEnd::Stopped, summary: Vec::new() })?;
            }
            ToWorker::End { .. } => {
                for query in std::mem::take(&mut self.queries) {
                    self.send(FromWorker::Ended { query, end: QueryEnd::Stopped, summary: Vec::new() })?;
                }
                return Ok(false);
            }
            _ => {}
        }
        Ok(true)
    }

    fn serve(&mut self) -> io::Result<()> {
        while self.receive()? {}
        Ok(())
    }

    fn connect(&mut self, what: &str) -> io::Result<()> {
        let (host, port) = what.rsplit_once(':').ok_or(io::ErrorKind::InvalidInput)?;
        self.asked += 1;
        let (request, port) = (RequestId(self.asked), port.parse().map_err(io::Error::other)?);
        self.send(FromWorker::Connect { request, host: host.to_owned(), port })?;
        loop {
            let received = self.receiver.receive().map_err(io::Error::other)?;
            match received.ok_or(io::ErrorKind::UnexpectedEof)? {
                (ToWorker::Connected { request: answered }, mut handed) if answered == request => {
                    let socket = handed.pop().ok_or(io::ErrorKind::NotFound)?;
                    return std::net::TcpStream::from(socket).write_all(b"connected\n");
                }
                (ToWorker::ConnectRefused { code, text, .. }, _) => {
                    println!("{code}: {text}");
                    return Ok(());
                }
                _ => {}
            }
        }
    }

    /// What the process was started with.
    fn surroundings(&self) -> io::Result<()> {
        let mut descriptors: Vec<i32> = Vec::new();
        for entry in std::fs::read_dir("/proc/self/fd")? {
            descriptors.extend(entry?.file_name().to_string_lossy().parse::<i32>());
        }
        descriptors.sort_unstable();
        // One is the folder that is being read; the others beyond 2 are this side's own copies.
        let inherited = descriptors.iter().filter(|number| **number <= 2).count();
        let stack = rustix::process::getrlimit(Resource::Stack).current.unwrap_or(u64::MAX);
        println!(
            "variables {}, descriptors {inherited} and {} of its own, handed {}, stack {stack}, folder {}",
            std::env::vars_os().count(),
            descriptors.len() - inherited,
            self.handed.len(),
            std::env::current_dir()?.display(),
        );
        Ok(())
    }
}

fn hang() {
    loop {
        std::thread::sleep(Duration::from_secs(1000));
    }
}

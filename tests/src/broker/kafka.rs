//! How one Apache Kafka is started: its command, its settings, its ports.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;

use super::{client, find};

/// A node of its own, that is broker and controller: what it needs in its folder, and the command that starts it.
#[derive(Debug)]
pub(super) struct Kafka {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    pub(super) port: u16,
}

/// Settings beside folder and ports. A group and a transaction are there at once, what is over is cleared away soon, and nothing is made
/// by being asked for.
const SETTINGS: &str = "\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
log.initial.task.delay.ms=500
log.retention.check.interval.ms=500
log.segment.delete.delay.ms=500
log.index.size.max.bytes=1048576
log.cleaner.dedupe.buffer.size=8388608
";

impl Kafka {
    /// Prepares an empty folder for a broker on two free ports.
    pub(super) fn prepare(folder: &Path, advertised: Option<&str>) -> Result<Kafka, String> {
        let installed = find::kafka()?;
        let failed = |error: std::io::Error| format!("cannot prepare {}: {error}", folder.display());
        let data = folder.join("data");
        fs::create_dir_all(&data).map_err(failed)?;
        for file in ["meta.properties", "bootstrap.checkpoint"] {
            fs::copy(installed.join("formatted").join(file), data.join(file)).map_err(failed)?;
        }
        let [port, controller] = free_ports();
        let advertised = advertised.map_or_else(|| format!("127.0.0.1:{port}"), str::to_owned);
        let settings = format!(
            "{SETTINGS}listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://{advertised}\n\
             controller.quorum.voters=1@127.0.0.1:{controller}\nlog.dirs={}\n",
            data.display()
        );
        let properties = folder.join("server.properties");
        fs::write(&properties, settings).map_err(failed)?;
        let path = |before: &str, name: &str| {
            let mut option = OsString::from(before);
            option.push(installed.join(name));
            option
        };
        // The choices under which `cargo xtask broker` made the archive of classes.
        let mut args: Vec<OsString> =
            ["-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"].map(Into::into).into();
        args.push(path("-XX:SharedArchiveFile=", "classes.jsa"));
        args.push(path("-Dlog4j2.configurationFile=", "log4j2.properties"));
        args.extend(["-cp".into(), path("", "lib/*"), "kafka.Kafka".into(), properties.into_os_string()]);
        Ok(Kafka { program: find::java(), args, port })
    }

    pub(super) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Ports below those that outgoing connections are given: none of them takes one while a broker is down between stop and start.
fn free_ports() -> [u16; 2] {
    for _ in 0..1000 {
        let port = u16::try_from(15_000 + client::random() % 17_000).expect("below 32,000");
        let free = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if free(port) && free(port + 1) {
            return [port, port + 1];
        }
    }
    panic!("no free ports among a thousand");
}

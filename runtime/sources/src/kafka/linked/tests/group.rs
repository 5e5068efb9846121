//! Members of a group.

use std::future::Future;

use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use super::*;
use crate::PositionKeeper;
use weir_state::{Partition, Positions};

/// The mock ends a rebalance when the session of a member that does not come would have ended.
fn member(cluster: &Cluster) -> KafkaSource {
    let mut config = config(cluster);
    (config.partitions, config.until_end) = (KafkaPartitions::Group, false);
    config.connection = config.connection.with("session.timeout.ms", "4000").with("heartbeat.interval.ms", "300");
    open(&config)
}

/// The mock refuses a member that asks for its part after the leader has dealt out all parts, and has it join once more:
/// so one that is slow, on a busy machine. What another commits meanwhile is refused, as it must be, and the run has shown
/// nothing of what it is for.
async fn undisturbed<F: Future<Output = Option<()>>>(run: impl Fn() -> F) {
    for _ in 0..8 {
        if run().await.is_some() {
            return;
        }
    }
    panic!("each of eight runs was disturbed");
}

/// `None` where the group has moved on.
async fn committed(keeper: &dyn PositionKeeper, positions: &Positions) -> Option<()> {
    match keeper.commit(positions).await {
        Err(error) if error.is_lost() => None,
        other => {
            other.unwrap();
            Some(())
        }
    }
}

#[tokio::test]
async fn a_second_member_takes_over_what_the_first_has_committed() {
    undisturbed(second_takes_over).await;
}

async fn second_takes_over() -> Option<()> {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..50);
    writer.ids("in", 1, 50..100);
    let mut first = member(&cluster);
    let keeper = first.keeper().unwrap();
    let (mut read, mut positions) = (Vec::new(), Positions::default());
    while read.len() < 100 {
        let batch = batch(&mut first).await.unwrap();
        read.extend(ids(&batch));
        positions.advance(&batch.positions);
    }
    read.sort_unstable();
    assert_eq!(read, (0..100).collect::<Vec<_>>());

    let mut second = member(&cluster);
    let of_second = tokio::spawn(async move {
        let batch = batch(&mut second).await.unwrap();
        (batch, second)
    });
    let SourceEvent::Revoking(revoking) = event(&mut first).await.unwrap().unwrap() else { panic!("a batch") };
    assert!(!revoking.lost);
    let [partition] = revoking.partitions.as_slice() else { panic!("{revoking:?}") };
    let partition: Partition = partition.clone();
    // Nothing goes over before the first one is done with it.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let next_offset = positions.get(&partition).unwrap();
    let of_partition = Positions::from_iter([(partition.clone(), next_offset)]);
    if committed(&*keeper, &of_partition).await.is_none() {
        of_second.abort();
        return None;
    }
    drop(revoking);
    positions.forget(std::slice::from_ref(&partition));
    writer.ids("in", partition.number, 200..203);
    let (batch_of_second, second) = of_second.await.unwrap();
    assert_eq!(ids(&batch_of_second)[0], 200, "not what the first had read");
    assert!(batch_of_second.positions.iter().all(|(it, _)| *it == partition));
    // The first goes on with what it has kept, and commits it.
    let other = 1 - partition.number;
    writer.ids("in", other, 300..301);
    let more = batch(&mut first).await.unwrap();
    assert_eq!(ids(&more), [300]);
    positions.advance(&more.positions);
    let done = committed(&*keeper, &positions).await;
    drop((first, second, keeper));
    done
}

#[tokio::test]
async fn a_member_reads_to_the_end() {
    let cluster = cluster(3);
    let writer = Writer::new(&cluster);
    for partition in 0..3 {
        writer.ids("in", partition, 0..10);
    }
    let mut source = open(&KafkaSourceConfig { partitions: KafkaPartitions::Group, ..config(&cluster) });
    assert_eq!(all(&mut source).await.iter().map(|batch| ids(batch).len()).sum::<usize>(), 30);
}

/// Reads as many records, and says how far that is.
async fn read(source: &mut KafkaSource, records: usize) -> Positions {
    let (mut read, mut positions) = (0, Positions::default());
    while read < records {
        let batch = batch(source).await.unwrap();
        read += ids(&batch).len();
        positions.advance(&batch.positions);
    }
    positions
}

/// As when a process was stopped for longer than its session lasts: the coordinator knows the member no more.
#[tokio::test]
async fn what_was_read_before_a_loss_is_vouched_for_by_no_later_generation() {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..50);
    writer.ids("in", 1, 50..100);
    let mut source = member(&cluster);
    let keeper = source.keeper().unwrap();
    let positions = read(&mut source, 100).await;
    drop(keeper.of_transaction(&positions).unwrap());

    cluster.request_errors(RDKafkaApiKey::Heartbeat, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID]);
    soon("the loss is known", || keeper.of_transaction(&positions).is_err()).await;
    // The member has joined again, and has what it had before. Nobody has heard of that yet.
    soon("the partitions are assigned again", || source.hand_over.assigned().len() == 2).await;
    let error = keeper.of_transaction(&positions).err().unwrap();
    assert!(error.is_lost(), "{error}");
    assert_eq!(
        error.to_string().rsplit_once(": another member").unwrap().1,
        " of the group owns these positions: AssignmentLost (Local: Group partition assignment lost)"
    );
    assert!(keeper.commit(&positions).await.unwrap_err().is_lost());

    let SourceEvent::Revoking(revoking) = event(&mut source).await.unwrap().unwrap() else { panic!("a batch") };
    assert!(revoking.lost && revoking.partitions.len() == 2, "{revoking:?}");
    assert!(keeper.of_transaction(&positions).is_err(), "heard of, and not dealt with");
    drop(revoking);
    // From where the group's positions are: nothing was committed.
    let mut batches = Vec::new();
    while batches.iter().map(|batch| ids(batch).len()).sum::<usize>() < 100 {
        batches.push(batch(&mut source).await.unwrap());
    }
    assert_eq!(sorted_ids(&batches), (0..100).collect::<Vec<_>>());
    keeper.commit(&positions).await.unwrap();
    drop((source, keeper));
}

#[tokio::test]
async fn what_a_reader_took_before_it_stopped_is_committed_before_another_member_goes_on() {
    undisturbed(second_goes_on).await;
}

async fn second_goes_on() -> Option<()> {
    let cluster = cluster(2);
    let writer = Writer::new(&cluster);
    writer.ids("in", 0, 0..50);
    writer.ids("in", 1, 50..100);
    let mut first = member(&cluster);
    let keeper = first.keeper().unwrap();
    let positions = read(&mut first, 100).await;
    let hand_over = Arc::clone(&first.hand_over);
    // A query that stops reads no more, and commits what it has. Meanwhile another member comes.
    drop(first);
    let mut second = member(&cluster);
    let of_second = tokio::spawn(async move { (batch(&mut second).await.unwrap(), second) });
    soon("a partition is asked for", || hand_over.assigned().len() == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!of_second.is_finished());
    if committed(&*keeper, &positions).await.is_none() {
        of_second.abort();
        return None;
    }
    drop(keeper);
    for partition in 0..2 {
        writer.ids("in", partition, 200..203);
    }
    let (batch_of_second, second) = of_second.await.unwrap();
    assert_eq!(ids(&batch_of_second)[0], 200, "not what the first had read");
    drop(second);
    Some(())
}

//! Members of a group.

use super::*;
use crate::source::{Partition, Positions};

/// The mock ends a rebalance when the session of a member that does not come would have ended.
fn member(cluster: &Cluster) -> KafkaSource {
    let mut config = config(cluster);
    (config.partitions, config.until_end) = (KafkaPartitions::Group, false);
    config.connection = config.connection.with("session.timeout.ms", "4000").with("heartbeat.interval.ms", "300");
    open(&config)
}

#[tokio::test]
async fn a_second_member_takes_over_what_the_first_has_committed() {
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
    let SourceEvent::Revoking(revoking) = next(&mut first).await.unwrap().unwrap() else { panic!("a batch") };
    assert!(!revoking.lost);
    let [partition] = revoking.partitions.as_slice() else { panic!("{revoking:?}") };
    let partition: Partition = partition.clone();
    // Nothing goes over before the first one is done with it.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let next_offset = positions.get(&partition).unwrap();
    keeper.commit(&Positions::from_iter([(partition.clone(), next_offset)])).await.unwrap();
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
    keeper.commit(&positions).await.unwrap();
    drop((first, second, keeper));
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

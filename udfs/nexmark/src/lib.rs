//! Functions over the bids of Nexmark, the benchmark of an online auction: its queries 1, 2, 21 and 22.
//!
//! A bid's fields are `auction`, `bidder` and `price` (i64), `channel`, `url` and `extra` (utf8) and `date_time` (timestamp).
//! Each function declares only the fields that it reads.
#![forbid(unsafe_code)]

use weir_guest::prelude::*;

/// A bid's price.
#[derive(Row)]
pub struct Price {
    /// US dollars.
    pub price: i64,
}

/// Euros for a dollar.
#[derive(Params)]
pub struct Rate {
    /// Euros for a dollar.
    #[param(default = 0.908)]
    pub rate: f64,
}

/// A price in euros.
#[derive(Row, Debug, PartialEq)]
pub struct Euros {
    /// Euros.
    pub euros: f64,
}

/// Query 1: the price in euros.
#[transform]
pub fn currency(price: Price, rate: &Rate) -> Euros {
    Euros { euros: price.price as f64 * rate.rate }
}

/// What is bid on.
#[derive(Row)]
pub struct Auction {
    /// The auction's number.
    pub auction: i64,
}

/// Which auctions are selected.
#[derive(Params)]
pub struct Selection {
    /// Auctions whose number this divides.
    #[param(default = 123)]
    pub modulus: i64,
}

/// Query 2: bids on every 123rd auction.
#[transform]
pub fn selection(auction: Auction, selection: &Selection) -> bool {
    auction.auction.checked_rem(selection.modulus) == Some(0)
}

/// A bid's channel and page.
#[derive(Row)]
pub struct Origin<'a> {
    /// Where the bid came from.
    pub channel: &'a str,
    /// The page it was made on.
    pub url: &'a str,
}

/// A bid's channel by number.
#[derive(Row, Debug, PartialEq)]
pub struct ChannelId<'a> {
    /// The number.
    pub channel_id: &'a str,
}

/// Query 21: the channel's number, of the four known ones or from the page's `channel_id=`; bids without are left out.
#[transform]
pub fn channel_id(origin: Origin<'_>) -> Option<ChannelId<'_>> {
    const KNOWN: [(&str, &str); 4] = [("apple", "0"), ("google", "1"), ("facebook", "2"), ("baidu", "3")];
    let known = KNOWN.iter().find(|(name, _)| origin.channel.eq_ignore_ascii_case(name)).map(|(_, id)| *id);
    let channel_id = match known {
        Some(id) => id,
        None => {
            let query = origin.url.split_once('?')?.1;
            query.split('&').find_map(|pair| pair.strip_prefix("channel_id="))?
        }
    };
    Some(ChannelId { channel_id })
}

/// The page a bid was made on.
#[derive(Row)]
pub struct Page<'a> {
    /// The page.
    pub url: &'a str,
}

/// The parts of a page's path.
#[derive(Row, Debug, PartialEq)]
pub struct Directories<'a> {
    /// The first part.
    pub dir1: Option<&'a str>,
    /// The second.
    pub dir2: Option<&'a str>,
    /// The third.
    pub dir3: Option<&'a str>,
}

/// Query 22: the first three directories of the page's path.
#[transform]
pub fn url_parts(page: Page<'_>) -> Directories<'_> {
    let mut parts = page.url.split('/').skip(3);
    Directories { dir1: parts.next(), dir2: parts.next(), dir3: parts.next() }
}

/// A bid.
#[derive(Row)]
pub struct Bid<'a> {
    /// US dollars.
    pub price: i64,
    /// Where the bid came from.
    pub channel: &'a str,
}

/// What is bid.
#[derive(Default, MetricSet)]
pub struct Bids {
    /// Bids by channel.
    #[metric(unit = "{bid}", labels("channel"))]
    pub bids: Counter<1>,
    /// The highest price seen by this instance.
    #[metric(unit = "{USD}")]
    pub price_max: Gauge,
    #[metric(skip)]
    highest: Option<i64>,
}

/// Counts bids by channel and keeps the highest price.
#[metrics]
impl Metrics for Bids {
    type Row<'a> = Bid<'a>;

    fn observe(&mut self, bid: Bid<'_>) {
        self.bids.with([bid.channel]).inc();
        if self.highest.is_none_or(|highest| bid.price > highest) {
            self.highest = Some(bid.price);
            self.price_max.set(bid.price);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_become_euros() {
        assert_eq!(currency(Price { price: 1000 }, &Rate { rate: 0.908 }), Euros { euros: 908.0 });
    }

    #[test]
    fn every_123rd_auction_is_selected() {
        let every = |modulus| {
            let selected = |auction: &i64| selection(Auction { auction: *auction }, &Selection { modulus });
            (1000..2000).filter(selected).collect::<Vec<i64>>()
        };
        assert_eq!(every(123), [1107, 1230, 1353, 1476, 1599, 1722, 1845, 1968]);
        assert!(every(0).is_empty());
    }

    #[test]
    fn channels_have_numbers() {
        let check = |channel, url| channel_id(Origin { channel, url }).map(|id| id.channel_id);
        assert_eq!(check("Google", "https://www.nexmark.com/a/b/c/item.htm?query=1"), Some("1"));
        assert_eq!(check("channel-7", "https://www.nexmark.com/a/item.htm?query=1&channel_id=77"), Some("77"));
        assert_eq!(check("channel-7", "https://www.nexmark.com/a/item.htm?query=1"), None);
    }

    #[test]
    fn pages_have_directories() {
        let parts = url_parts(Page { url: "https://www.nexmark.com/a/b" });
        assert_eq!(parts, Directories { dir1: Some("a"), dir2: Some("b"), dir3: None });
    }

    #[test]
    fn bids_are_counted_by_channel() {
        let mut bids = Bids::default();
        for (channel, price) in [("Apple", 10), ("Google", 30), ("Apple", 20)] {
            bids.observe(Bid { price, channel });
        }
        assert_eq!(bids.bids.with(["Apple"]).value(), 2.0);
        assert_eq!(bids.price_max.value(), Some(30.0));
    }
}

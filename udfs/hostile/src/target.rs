//! What a host allows, for attacks that go just beyond it.

/// What a host allows its guests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Size of a module.
    pub module_bytes_max: usize,
    /// Linear memory.
    pub memory_bytes_max: usize,
    /// Elements of all tables.
    pub table_elements_max: usize,
    /// Rows that a batch may become.
    pub output_rows_max: usize,
    /// Rows that a batch may become, for each of its rows.
    pub output_rows_per_input_max: usize,
    /// Bytes that a batch may become.
    pub output_bytes_max: usize,
    /// A log line.
    pub log_line_bytes_max: usize,
    /// Log lines of a batch.
    pub log_lines_batch_max: usize,
    /// Series of a metric.
    pub series_max: usize,
}

impl Target {
    /// The number that a placeholder stands for.
    pub(crate) fn number(&self, name: &str) -> usize {
        match name {
            "memory_pages_max" => self.memory_bytes_max >> 16,
            "memory_pages_over" => (self.memory_bytes_max >> 16) + 1,
            "table_elements_max" => self.table_elements_max,
            "table_elements_over" => self.table_elements_max + 1,
            "table_elements_over_half" => self.table_elements_max / 2 + 1,
            "log_lines_over" => self.log_lines_batch_max + 10,
            "series_over" => self.series_max + 10,
            _ => panic!("`{name}` is no placeholder"),
        }
    }
}

//! Attacks that are generated, and those that are no module at all. A file of this folder is an attack, and is called
//! by it; what several share is elsewhere.

pub(crate) mod r11a_loop_nest;
pub(crate) mod r11b_block_nest;
pub(crate) mod r11c_many_loops;
pub(crate) mod r11x_under_loops;
pub(crate) mod r11y_under_empty_loops;
pub(crate) mod r12a_data_segments;
pub(crate) mod r12b_element_segments;
pub(crate) mod r12x_under_segments;
pub(crate) mod r13a_locals_of_a_function;
pub(crate) mod r13b_locals_in_all;
pub(crate) mod r13c_locals_beyond_count;
pub(crate) mod r14a_types;
pub(crate) mod r14b_parameters;
pub(crate) mod r14c_results;
pub(crate) mod r14d_bridges;
pub(crate) mod r14x_under_bridges;
pub(crate) mod r15_huge_function;
pub(crate) mod r15x_under_live_values;
pub(crate) mod r16a_br_table_targets;
pub(crate) mod r16b_br_table_of_a_function;
pub(crate) mod r16c_br_table_over_locals;
pub(crate) mod r16x_under_br_table;
pub(crate) mod r17a_joins_in_a_nest;
pub(crate) mod r17b_joins_in_all;
pub(crate) mod r17c_branches_that_carry;
pub(crate) mod r17d_ifs_in_a_function;
pub(crate) mod r17x_under_joins;
pub(crate) mod r17y_under_ifs;
pub(crate) mod r17z_under_branches_that_carry;
pub(crate) mod r18a_bulk_operations;
pub(crate) mod r18b_memory_grows;
pub(crate) mod r18c_table_gets;
pub(crate) mod r18d_indirect_calls;
pub(crate) mod r18e_call_values;
pub(crate) mod r18v_under_calls;
pub(crate) mod r18w_under_additions;
pub(crate) mod r18x_under_indirect_calls;
pub(crate) mod r18y_under_table_gets;
pub(crate) mod r18z_under_multiplications;
pub(crate) mod r19a_tiny_functions;
pub(crate) mod r19b_exports;
pub(crate) mod r19c_globals;
pub(crate) mod r19d_imports;
pub(crate) mod r19x_under_functions;
pub(crate) mod r26a_component;
pub(crate) mod r26b_component_with_module;
pub(crate) mod r27a_precompiled;
pub(crate) mod r27b_precompiled_with_a_module;
pub(crate) mod r28b_text_after_a_mark;
pub(crate) mod r29a_truncated;
pub(crate) mod r29b_truncated_header;
pub(crate) mod r29c_flipped_bit;
pub(crate) mod r29d_flipped_magic;
pub(crate) mod r29e_overlong_number;
pub(crate) mod r29f_huge_section;
pub(crate) mod r29g_huge_count;
pub(crate) mod r29h_sections_out_of_order;
pub(crate) mod r29i_section_twice;
pub(crate) mod r29j_function_without_code;
pub(crate) mod r29k_trailing_bytes;
pub(crate) mod r29l_nothing;
pub(crate) mod r29m_unknown_opcode;
pub(crate) mod r33o_manifest_too_large;
pub(crate) mod r33p_manifest_nested;
pub(crate) mod r33q_manifest_not_text;
pub(crate) mod r33r_many_functions;
pub(crate) mod r33s_many_fields;
pub(crate) mod r33t_manifest_value_nested;
pub(crate) mod r35a_huge_name_section;
pub(crate) mod r35b_malformed_names;
pub(crate) mod r36a_gzip;
pub(crate) mod r36b_zstd;
pub(crate) mod r37d_huge_name;

use crate::{Attack, Class, Expect, Target};

/// An attack but for what its file's name says.
#[derive(Clone, Copy)]
pub(crate) struct Made {
    pub(crate) title: &'static str,
    pub(crate) class: Class,
    pub(crate) expect: Expect,
    pub(crate) bytes: fn(&Target) -> Vec<u8>,
}

impl Made {
    pub(crate) const fn attack(self, row: u8, name: &'static str) -> Attack {
        let Made { title, class, expect, bytes } = self;
        Attack { row, name, title, class, expect, bytes }
    }
}

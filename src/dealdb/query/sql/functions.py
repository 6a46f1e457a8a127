"""
Functions that a statement of ``sql()`` may call: those of DuckDB that compute a value from their arguments alone.

Left out on purpose, though they only compute: JSON, geometry and variant functions (no deal has such a field).
Left out for safety: what reads files, settings, variables, sequences or the catalog (``getenv``, ``version``,
``current_setting``, ``query`` ...), what waits or writes (``sleep_ms``, ``write_log``), internals, and
what makes a huge value of a small one (``repeat``, ``lpad``, ``printf``; ``range`` is there as a table, which streams),
and what takes memory with the square of a text (``damerau_levenshtein``; ``levenshtein`` takes only time so).
A test holds the list to the functions that DuckDB has.
"""

from __future__ import annotations

_NAMES = """
abs acos acosh add age aggregate ago alias any_value apply approx_count_distinct approx_quantile
arbitrary arg_max arg_max_null arg_max_nulls_last arg_min arg_min_null arg_min_nulls_last argmax
argmin array_agg array_aggr array_aggregate array_append array_apply array_cat array_concat
array_contains array_distance array_distinct array_extract array_filter array_has array_has_all
array_has_any array_indexof array_intersect array_length array_pop_back array_pop_front
array_position array_prepend array_push_back array_push_front array_reduce array_reverse
array_reverse_sort array_select array_slice array_sort array_to_string array_to_string_comma_default
array_transform array_unique array_value array_where array_zip ascii asin asinh atan atan2 atanh avg
base64 bin binom bit_and bit_count bit_length bit_or bit_xor bool_and bool_or cardinality cbrt ceil
ceiling century char_length character_length chr concat concat_ws contains corr cos cosh cot count
count_if count_star countif covar_pop covar_samp cume_dist current_date current_localtime
current_localtimestamp date_add date_diff date_part date_sub date_trunc datediff
datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade degrees
dense_rank divide editdist3 element_at ends_with entropy enum_code enum_first enum_last enum_range
enum_range_boundary epoch epoch_ms epoch_ns epoch_us era even exp factorial favg fdiv fill filter
first first_value flatten floor fmod format_bytes formatReadableDecimalSize formatReadableSize
from_base64 fsum gamma gcd gen_random_uuid geomean geometric_mean get_current_time
get_current_timestamp greatest greatest_common_divisor group_concat hamming hex histogram
histogram_exact hour if ilike_escape instr isfinite isinf isnan isodow isoyear jaccard
jaro_similarity jaro_winkler_similarity julian kahan_sum kurtosis kurtosis_pop lag last last_day
last_value lcase lcm lead least least_common_multiple left left_grapheme len length length_grapheme
levenshtein lgamma like_escape list list_aggr list_aggregate list_any_value list_append list_apply
list_approx_count_distinct list_avg list_bit_and list_bit_or list_bit_xor list_bool_and list_bool_or
list_cat list_concat list_contains list_count list_distance list_distinct list_element list_entropy
list_extract list_filter list_first list_has list_has_all list_has_any list_histogram list_indexof
list_intersect list_kurtosis list_kurtosis_pop list_last list_mad list_max list_median list_min
list_mode list_pack list_position list_prepend list_product list_reduce list_reverse
list_reverse_sort list_select list_sem list_skewness list_slice list_sort list_stddev_pop
list_stddev_samp list_sum list_transform list_unique list_value list_var_pop list_var_samp
list_where list_zip listagg ln log log10 log2 lower ltrim mad make_date make_time make_timestamp
make_timestamp_ms make_timestamp_ns make_timestamptz map map_concat map_contains map_contains_entry
map_contains_value map_entries map_extract map_extract_value map_from_entries map_keys map_values
max max_by md5 md5_number md5_number_lower md5_number_upper mean median microsecond millennium
millisecond min min_by minute mismatches mod mode month monthname multiply nanosecond nextafter
nfc_normalize not_ilike_escape not_like_escape now nth_value ntile nullif overlay percent_rank pi
position pow power prefix product quantile quantile_cont quantile_disc quarter radians random rank
rank_dense reduce regexp_escape regexp_extract regexp_extract_all regexp_full_match regexp_matches
regexp_replace regexp_split_to_array regexp_split_to_table regr_avgx regr_avgy regr_count
regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy replace reservoir_quantile reverse
right right_grapheme round round_even roundbankers row row_number rtrim second sem sha1 sha256 sign
signbit sin sinh skewness split split_part sqrt starts_with stddev stddev_pop stddev_samp str_split
str_split_regex strftime string_agg string_split string_split_regex string_to_array strip_accents
strlen strpos strptime struct_concat struct_contains struct_extract struct_extract_at struct_has
struct_indexof struct_insert struct_keys struct_pack struct_position struct_update struct_values
substr substring substring_grapheme subtract suffix sum sumkahan tan tanh time_bucket timezone
timezone_hour timezone_minute to_base to_base64 to_centuries to_days to_decades to_hours
to_microseconds to_millennia to_milliseconds to_minutes to_months to_quarters to_seconds
to_timestamp to_weeks to_years today transaction_timestamp translate trim trunc try_strptime typeof
ucase unbin unhex unicode union_extract union_tag union_value upper var_pop var_samp variance wavg
week weekday weekofyear weighted_avg xor year yearweek
"""
_OPERATORS = """
!__postfix !~~ !~~* % & && * ** + - / // <-> << <@ >> @ @> ^ ^@ | || ~ ~~ ~~* ~~~
"""
_SPELLINGS = """
array_slice count_star date_part like_escape list_value not_ilike_escape not_like_escape row struct_pack unnest
"""

FUNCTIONS = frozenset(f"{_NAMES} {_OPERATORS} {_SPELLINGS}".casefold().split())
TABLE_FUNCTIONS = frozenset({"range", "generate_series", "unnest"})

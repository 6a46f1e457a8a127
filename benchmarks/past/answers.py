"""The same questions in SQL, over tables ``lives``, ``commits``, ``quotas`` and one for each field."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from benchmarks.past.questions import AS_OF, BEFORE, HALF, MONTHS, QUARTER, YEAR

_OPEN = "('Lead', 'Demo', 'Offer', 'Contract')"
_CHANCE = "CASE stage WHEN 'Lead' THEN 0.10 WHEN 'Demo' THEN 0.30 WHEN 'Offer' THEN 0.60 WHEN 'Contract' THEN 0.80 END"
_PLACES = "WHEN 'Lead' THEN 0 WHEN 'Demo' THEN 1 WHEN 'Offer' THEN 2 WHEN 'Contract' THEN 3"
_PLACE = f"CASE {{}} {_PLACES} WHEN 'Won' THEN 4 {{}}END"
_FIELDS = (
    "stage",
    "amount",
    "expected_close",
    "owner",
    "closed",
    "loss_reason",
    "created",
    "currency",
)


def _ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


_T = _ms(AS_OF + timedelta(days=1))


def _day(column: str) -> str:
    return f"CAST(epoch_ms({column}) AS DATE)"


def _last(name: str, moment: int = _T, *, ts: bool = False) -> str:
    """The last fact of each deal before a moment."""
    more = ", max(ts) AS ts" if ts else ""
    return f"(SELECT life, arg_max_null(value, ts) AS {name}{more} FROM f_{name} WHERE ts < {moment} GROUP BY life)"


def _state(*names: str, moment: int = _T) -> str:
    """Deals that exist at a moment, with the last values of some fields."""
    joins = " ".join(f"LEFT JOIN {_last(name, moment)} USING (life)" for name in names)
    alive = f"begin < {moment} AND (lives.end IS NULL OR lives.end >= {moment})"
    return f"(SELECT life, begin, {', '.join(names)} FROM lives {joins} WHERE {alive})"


def _chance_of(amount: str = "amount") -> str:
    return f"CAST({amount} AS DECIMAL(18, 2)) * CAST({_CHANCE} AS DECIMAL(3, 2))"


_FUNNEL = f"""
WITH deals AS (
  SELECT * FROM {_state("stage", "amount", "created")}
  WHERE created >= DATE '{YEAR[0]}' AND created < DATE '{YEAR[1]}'
), came AS (
  SELECT life, max({_PLACE.format("value", "")}) AS far FROM f_stage SEMI JOIN deals USING (life)
  WHERE ts < {_T} GROUP BY life
), steps AS (
  SELECT stage, amount, least(far, 3) AS far FROM deals JOIN came USING (life) WHERE far IS NOT NULL
)
SELECT ['Lead', 'Demo', 'Offer', 'Contract'][step + 1] AS stage, count(*) AS n,
  count(*) FILTER (far = step AND stage IN {_OPEN}) AS open, count(*) FILTER (far = step AND stage = 'Lost') AS lost,
  sum(amount) AS value, count(*) FILTER (amount IS NULL) AS blank
FROM steps JOIN (SELECT unnest(range(4)) AS step) ON far >= step GROUP BY step
UNION ALL
SELECT 'won', count(*), 0, 0, sum(amount), count(*) FILTER (amount IS NULL) FROM deals WHERE stage = 'Won'
"""
_SPANS = f"""
spans AS (
  SELECT life, value AS stage, ts AS entered, lead(ts) OVER w AS next, lag(value) OVER w AS before
  FROM f_stage WHERE ts < {_T} WINDOW w AS (PARTITION BY life ORDER BY ts)
), visits AS (
  SELECT spans.*, CASE WHEN lives.end < {_T} THEN lives.end END AS ended FROM spans JOIN lives USING (life)
  WHERE stage IN {_OPEN}
)"""
_TIME_IN_STAGE = f"""
WITH {_SPANS}, stays AS (
  SELECT life, stage FROM visits WHERE next IS NULL
), sums AS (
  SELECT life, stage, sum(next - entered) AS ms FROM visits ANTI JOIN stays USING (life, stage)
  WHERE next IS NOT NULL GROUP BY life, stage
), exited AS (
  SELECT stage, count(*) AS n, median(ms) / 86400000 AS median_days, quantile_disc(ms, 0.9) / 86400000 AS p90_days
  FROM sums GROUP BY stage
), others AS (
  SELECT stage, count(*) FILTER (next IS NULL AND ended IS NULL) AS open_n,
    median({_T} - entered) FILTER (next IS NULL AND ended IS NULL) / 86400000 AS open_median_days,
    count(*) FILTER (next IS NULL AND ended IS NOT NULL) AS deleted,
    count(*) FILTER ({_PLACE.format("before", "WHEN 'Lost' THEN 5 ")} > {_PLACE.format("stage", "")}) AS backward
  FROM visits GROUP BY stage
)
SELECT stage, n, median_days, p90_days, open_n, open_median_days, deleted, backward
FROM exited JOIN others USING (stage)
"""
_AGE = f"DATE '{AS_OF}' - {_day('ts')}"
_AGEING = f"""
WITH deals AS (
  SELECT lives.life, stage, {_AGE} AS age, amount FROM lives JOIN {_last("stage", ts=True)} USING (life)
  LEFT JOIN {_last("amount")} USING (life)
  WHERE begin < {_T} AND (lives.end IS NULL OR lives.end >= {_T}) AND stage IN {_OPEN}
)
SELECT CASE WHEN age <= 7 THEN '0-7' WHEN age <= 14 THEN '8-14' WHEN age <= 30 THEN '15-30' WHEN age <= 60 THEN '31-60'
  ELSE '61+' END AS bucket, count(*) AS n, coalesce(sum(amount), 0) AS value, sum({_chance_of()}) AS weighted,
  count(*) FILTER (amount IS NULL) AS blank
FROM deals GROUP BY bucket
"""
_UPDATES = " UNION ALL ".join(
    f"SELECT life, max(ts) AS ts FROM f_{name} WHERE ts < {_T} GROUP BY life" for name in _FIELDS
)
_ROTTING = f"""
WITH updates AS (
  SELECT life, max(ts) AS ts FROM ({_UPDATES} UNION ALL SELECT life, begin AS ts FROM lives WHERE begin < {_T})
  GROUP BY life
), deals AS (
  SELECT stage, amount, {_AGE} AS age, CASE WHEN stage IN ('Lead', 'Demo') THEN 30 ELSE 14 END AS days
  FROM {_state("stage", "amount")} JOIN updates USING (life) WHERE stage IN {_OPEN}
)
SELECT stage, count(*) AS n, count(*) FILTER (age > days) AS rotting, sum(amount) FILTER (age > days) AS value,
  max(age) FILTER (age > days) AS worst_days
FROM deals GROUP BY stage
"""
_S, _U = (_ms(day) for day in BEFORE)
_SLIPPAGE = f"""
WITH base AS (
  SELECT life, amount FROM {_state("stage", "amount", "expected_close", moment=_S)} WHERE stage IN {_OPEN}
  AND expected_close >= DATE '{BEFORE[0]}' AND expected_close < DATE '{BEFORE[1]}'
), ends AS (
  SELECT base.*, lives.end < {_U} AS gone, s.stage, e.expected_close FROM base JOIN lives USING (life)
  LEFT JOIN {_last("stage", _U)} AS s USING (life) LEFT JOIN {_last("expected_close", _U)} AS e USING (life)
), outcomes AS (
  SELECT *, CASE WHEN gone THEN 'deleted' WHEN stage = 'Won' THEN 'won' WHEN stage = 'Lost' THEN 'lost'
    WHEN expected_close < DATE '{BEFORE[1]}' THEN 'overdue' ELSE 'moved' END AS outcome FROM ends
), dates AS (
  SELECT life, ts, value - lag(value) OVER (PARTITION BY life ORDER BY ts) AS days
  FROM f_expected_close SEMI JOIN base USING (life) WHERE ts < {_U}
), pushes AS (
  SELECT d.life FROM (SELECT * FROM dates WHERE ts >= {_S} AND days > 0) AS d
  ASOF JOIN f_stage AS s ON d.life = s.life AND s.ts < d.ts WHERE s.value IN {_OPEN}
)
SELECT count(*) AS n, sum(amount) AS value, count(*) FILTER (outcome = 'won') AS won,
  count(*) FILTER (outcome = 'lost') AS lost, count(*) FILTER (outcome IN ('moved', 'overdue')) AS slipped,
  count(*) FILTER (outcome = 'moved') AS moved, count(*) FILTER (outcome = 'overdue') AS overdue,
  count(*) FILTER (outcome = 'deleted') AS deleted,
  sum(amount) FILTER (outcome IN ('moved', 'overdue')) AS slipped_value, (SELECT count(*) FROM pushes) AS pushes,
  (SELECT count(DISTINCT life) FROM pushes) AS pushed_deals, count(*) FILTER (amount IS NULL) AS blank
FROM outcomes
"""
_DUE = f"stage IN {_OPEN} AND expected_close >= DATE '{QUARTER[0]}' AND expected_close < DATE '{QUARTER[1]}'"
_COVERAGE = f"""
SELECT sum(amount) FILTER (stage = 'Won' AND closed BETWEEN DATE '{QUARTER[0]}' AND DATE '{AS_OF}') AS won,
  sum(amount) FILTER ({_DUE}) AS open, count(*) FILTER ({_DUE} AND expected_close < DATE '{AS_OF}') AS overdue,
  sum(amount) FILTER (stage IN {_OPEN} AND expected_close IS NULL) AS undated_value,
  count(*) FILTER ({_DUE} AND amount IS NULL) AS blank
FROM {_state("stage", "amount", "expected_close", "closed")}
"""
_FORECAST = f"""
WITH deals AS (
  SELECT *, stage = 'Won' AND closed >= DATE '{HALF[0]}' AND closed < DATE '{HALF[1]}' AS won,
    stage IN {_OPEN} AND expected_close >= DATE '{HALF[0]}' AND expected_close < DATE '{HALF[1]}' AS due,
    stage IN {_OPEN} AND expected_close IS NULL AS undated
  FROM {_state("stage", "amount", "expected_close", "closed")}
), placed AS (
  SELECT *, CASE WHEN undated THEN 'undated' WHEN due AND expected_close < DATE '{AS_OF}' THEN 'overdue'
    WHEN won THEN strftime(closed, '%Y-%m') ELSE strftime(expected_close, '%Y-%m') END AS label
  FROM deals WHERE won OR due OR undated
)
SELECT label, coalesce(sum(amount) FILTER (won), 0) AS won,
  coalesce(sum({_chance_of()}) FILTER (NOT won), 0) AS weighted,
  coalesce(sum(amount) FILTER (stage = 'Contract'), 0) AS commit,
  coalesce(sum(amount) FILTER (stage = 'Offer'), 0) AS best,
  coalesce(sum(amount) FILTER (stage IN ('Lead', 'Demo')), 0) AS pipeline,
  count(*) FILTER (NOT won) AS n, count(*) FILTER (NOT won AND amount IS NULL) AS blank
FROM placed GROUP BY label
"""
_NET = f"""
WITH a AS (SELECT life, stage, coalesce(amount, 0) AS amount, amount IS NULL AS blank
  FROM {_state("stage", "amount", moment=_S)}),
b AS (SELECT life, stage, coalesce(amount, 0) AS amount, amount IS NULL AS blank
  FROM {_state("stage", "amount", moment=_U)}),
ends AS (
  SELECT a.amount AS a0, b.amount AS a1, a.blank AS blank0, b.blank AS blank1,
    CASE WHEN a.life IS NULL THEN 'absent' WHEN a.stage IN ('Won', 'Lost') THEN lower(a.stage) ELSE 'in' END AS x,
    CASE WHEN b.life IS NULL THEN 'absent' WHEN b.stage IN ('Won', 'Lost') THEN lower(b.stage) ELSE 'in' END AS y
  FROM a FULL JOIN b USING (life)
), lines AS (
  SELECT *, y IN ('won', 'lost') AND x != y AS leaves,
    y = 'in' OR (y IN ('won', 'lost') AND x != y) AS arrives FROM ends
), buckets AS (
  SELECT unnest([
    CASE WHEN x = 'in' THEN {{'b': 'start', 'v': a0, 'n': blank0}} END,
    CASE WHEN arrives AND x = 'absent' THEN {{'b': 'created', 'v': a1, 'n': blank1}} END,
    CASE WHEN arrives AND x IN ('won', 'lost') THEN {{'b': 'reopened', 'v': a0, 'n': blank1}} END,
    CASE WHEN arrives AND x != 'absent' AND a1 > a0 THEN {{'b': 'up', 'v': a1 - a0, 'n': blank1}} END,
    CASE WHEN arrives AND x != 'absent' AND a1 < a0 THEN {{'b': 'down', 'v': a0 - a1, 'n': blank1}} END,
    CASE WHEN leaves THEN {{'b': y, 'v': a1, 'n': blank1}} END,
    CASE WHEN x = 'in' AND y = 'absent' THEN {{'b': 'deleted', 'v': a0, 'n': blank0}} END,
    CASE WHEN y = 'in' THEN {{'b': 'end', 'v': a1, 'n': blank1}} END
  ]) AS line FROM lines
)
SELECT line.b AS bucket, count(*) AS n, sum(line.v) AS value, count(*) FILTER (line.n) AS blank
FROM buckets WHERE line IS NOT NULL GROUP BY bucket
"""
_KIND = f"""CASE WHEN NOT {{alive}} THEN 'absent' WHEN {{stage}} = 'Won' THEN 'won' WHEN {{stage}} = 'Lost' THEN 'lost'
    WHEN {{due}} >= DATE '{QUARTER[0]}' AND {{due}} < DATE '{QUARTER[1]}' THEN 'in' ELSE 'out' END"""
_AT_MOMENTS = " ".join(
    f"ASOF LEFT JOIN f_{name} AS {name[0]} ON m.life = {name[0]}.life AND {name[0]}.ts <= m.ts"
    for name in ("stage", "amount", "expected_close")
)
_INSIDE = f"ts >= {_S} AND ts < {_U}"
_GROSS = f"""
WITH moments AS (
  SELECT life, {_S} - 1 AS ts FROM lives WHERE begin < {_S} AND (lives.end IS NULL OR lives.end >= {_S})
  UNION SELECT life, begin FROM lives WHERE begin >= {_S} AND begin < {_U}
  UNION SELECT life, lives.end FROM lives WHERE lives.end >= {_S} AND lives.end < {_U}
  UNION SELECT life, ts FROM f_stage WHERE {_INSIDE} UNION SELECT life, ts FROM f_amount WHERE {_INSIDE}
  UNION SELECT life, ts FROM f_expected_close WHERE {_INSIDE}
), states AS (
  SELECT m.life, m.ts, coalesce(a.value, 0) AS amount, a.value IS NULL AS blank,
    {_KIND.format(alive="(lives.end IS NULL OR lives.end > m.ts)", stage="s.value", due="e.value")} AS state
  FROM moments AS m JOIN lives USING (life) {_AT_MOMENTS}
), moves AS (
  SELECT ts, state AS y, amount AS a1, blank AS blank1, coalesce(lag(state) OVER w, 'absent') AS x,
    coalesce(lag(amount) OVER w, 0) AS a0, lag(blank) OVER w AS blank0, lead(life) OVER w IS NULL AS is_end
  FROM states WINDOW w AS (PARTITION BY life ORDER BY ts)
), buckets AS (
  SELECT unnest(CASE WHEN ts >= {_S} THEN [
    CASE WHEN y = 'in' AND x = 'absent' THEN {{'b': 'created', 'v': a1, 'n': blank1}} END,
    CASE WHEN y = 'in' AND x = 'out' THEN {{'b': 'pulled_in', 'v': a1, 'n': blank1}} END,
    CASE WHEN y = 'in' AND x IN ('won', 'lost') THEN {{'b': 'reopened', 'v': a1, 'n': blank1}} END,
    CASE WHEN x = 'in' AND y != 'absent' AND a1 > a0 THEN {{'b': 'up', 'v': a1 - a0, 'n': blank1}} END,
    CASE WHEN x = 'in' AND y != 'absent' AND a1 < a0 THEN {{'b': 'down', 'v': a0 - a1, 'n': blank1}} END,
    CASE WHEN x = 'in' AND y IN ('won', 'lost') THEN {{'b': y, 'v': a1, 'n': blank1}} END,
    CASE WHEN x = 'in' AND y = 'out' THEN {{'b': 'pushed_out', 'v': a1, 'n': blank1}} END,
    CASE WHEN x = 'in' AND y = 'absent' THEN {{'b': 'deleted', 'v': a0, 'n': blank0}} END,
    CASE WHEN is_end AND y = 'in' THEN {{'b': 'end', 'v': a1, 'n': blank1}} END
  ] ELSE [
    CASE WHEN y = 'in' THEN {{'b': 'start', 'v': a1, 'n': blank1}} END,
    CASE WHEN is_end AND y = 'in' THEN {{'b': 'end', 'v': a1, 'n': blank1}} END
  ] END) AS line FROM moves
)
SELECT line.b AS bucket, count(*) AS n, sum(line.v) AS value, count(*) FILTER (line.n) AS blank
FROM buckets WHERE line IS NOT NULL GROUP BY bucket
"""
_COHORTS = f"""
WITH deals AS (
  SELECT date_trunc('month', created)::DATE AS cohort, stage, amount,
    datediff('month', created, greatest(closed, created)) AS k
  FROM {_state("stage", "amount", "created", "closed")} WHERE created IS NOT NULL
), sizes AS (
  SELECT cohort, count(*) AS size, count(*) FILTER (stage IN {_OPEN}) AS open FROM deals GROUP BY cohort
), won AS (
  SELECT cohort, k, count(*) AS won, sum(amount) AS value FROM deals WHERE stage = 'Won' GROUP BY cohort, k
)
SELECT cohort, m.k, size, CASE WHEN begun THEN sum(coalesce(won, 0)) OVER w END AS won,
  CASE WHEN begun THEN sum(coalesce(value, 0)) OVER w END AS value, open
FROM (
  SELECT *, datediff('month', cohort, DATE '{AS_OF}') >= k AS begun
  FROM sizes CROSS JOIN (SELECT unnest(range({MONTHS})) AS k)
) AS m LEFT JOIN won USING (cohort, k)
WINDOW w AS (PARTITION BY cohort ORDER BY m.k)
"""


def _closed(*names: str) -> str:
    """Deals that are closed, with their last change into won or lost and the owner of then."""
    more = "".join(f", {name}" for name in names)
    return f"""
state AS (SELECT * FROM {_state("stage", "amount", "closed", *names)} WHERE stage IN ('Won', 'Lost')),
moves AS (
  SELECT life, ts, value, lag(value) OVER (PARTITION BY life ORDER BY ts) AS before FROM f_stage WHERE ts < {_T}
), closings AS (
  SELECT life, max(ts) AS ts FROM moves WHERE value IN ('Won', 'Lost') AND value IS DISTINCT FROM before
  GROUP BY life
), closed AS (
  SELECT c.life, stage, amount, closed{more}, o.value AS owner
  FROM (SELECT * FROM state JOIN closings USING (life)) AS c
  ASOF LEFT JOIN f_owner AS o ON c.life = o.life AND o.ts <= c.ts
)"""


_WITHIN = f"closed >= DATE '{QUARTER[0]}' AND closed < DATE '{QUARTER[1]}'"
_LOSSES = f"""
SELECT coalesce(loss_reason, '(none)') AS loss_reason, count(*) AS n, sum(amount) AS value,
  count(*) FILTER (amount IS NULL) AS blank, median(closed - created) FILTER (closed >= created) AS median_days
FROM {_state("stage", "amount", "closed", "created", "loss_reason")} WHERE stage = 'Lost' AND {_WITHIN}
GROUP BY loss_reason
"""
_WIN_LOSS = f"""
WITH {_closed()}
SELECT coalesce(owner, '(none)') AS owner, count(*) FILTER (stage = 'Won') AS won,
  count(*) FILTER (stage = 'Lost') AS lost, coalesce(sum(amount) FILTER (stage = 'Won'), 0) AS won_value,
  coalesce(sum(amount) FILTER (stage = 'Lost'), 0) AS lost_value
FROM closed WHERE {_WITHIN} GROUP BY owner
"""
_RAMP = f"""
WITH {_closed()}, starts AS (
  SELECT value AS owner, {_day("min(ts)")} AS start FROM f_owner WHERE ts < {_T} AND value IS NOT NULL GROUP BY value
), wins AS (
  SELECT owner, datesub('month', start, closed) AS month, count(*) AS won, coalesce(sum(amount), 0) AS value
  FROM closed JOIN starts USING (owner) WHERE stage = 'Won' AND closed IS NOT NULL GROUP BY owner, month
)
SELECT owner, m.month, coalesce(won, 0) AS won, coalesce(value, 0) AS value
FROM starts CROSS JOIN (SELECT unnest(range({MONTHS})) AS month) AS m LEFT JOIN wins USING (owner, month)
WHERE datesub('month', start, DATE '{AS_OF}') >= m.month
"""
_LEADERBOARD = f"""
WITH {_closed()}, held AS (
  SELECT stage, amount, closed, owner FROM closed UNION ALL
  SELECT stage, amount, NULL, owner FROM {_state("stage", "amount", "owner")} WHERE stage IN {_OPEN}
), sums AS (
  SELECT owner, coalesce(sum(amount) FILTER (stage = 'Won' AND {_WITHIN}), 0) AS won_value,
    count(*) FILTER (stage = 'Won' AND {_WITHIN}) AS won, count(*) FILTER (stage = 'Lost' AND {_WITHIN}) AS lost,
    count(*) FILTER (stage IN {_OPEN}) AS open, coalesce(sum({_chance_of()}), 0) AS open_weighted
  FROM held GROUP BY owner
)
SELECT coalesce(owner, '(none)') AS owner, rank() OVER (ORDER BY won_value DESC) AS rank, won_value, won, lost, open,
  open_weighted
FROM sums
"""
_ATTAINMENT = f"""
WITH {_closed()}, won AS (
  SELECT owner AS key, coalesce(sum(amount) FILTER (stage = 'Won'), 0) AS won FROM closed WHERE {_WITHIN} GROUP BY owner
), rows AS (
  SELECT coalesce(key, '(none)') AS key, quotas.amount AS quota, coalesce(won, 0) AS won
  FROM won FULL JOIN quotas USING (key)
)
SELECT key, quota, won FROM rows UNION ALL SELECT 'team', sum(quota), sum(won) FROM rows
"""


def _activity(by: str) -> str:
    """Changes of a quarter by who made them, or by the owner after the change."""
    first, end = _ms(QUARTER[0]), _T
    inside = f"ts >= {first} AND ts < {end}"
    before = "lag(value) OVER (PARTITION BY life ORDER BY ts)"
    marks = {
        "stage": f"value IS NOT NULL AND {before} IS NOT NULL",
        "expected_close": f"value > {before}",
    }
    parts = [
        f"""SELECT * FROM (SELECT life, ts, seq, true AS change, {mark if name == "stage" else "false"} AS move,
          {mark if name == "expected_close" else "false"} AS push, {name == "amount"} AS amount,
          {closing if name == "stage" else "false"} AS closing FROM f_{name}) WHERE {inside}"""
        for name in _FIELDS
        for mark in [marks.get(name, "false")]
        for closing in [f"value IN ('Won', 'Lost') AND value IS DISTINCT FROM {before}"]
    ]
    changes = " UNION ALL ".join(parts)
    if by == "owner":
        group = "ASOF LEFT JOIN f_owner AS o ON r.life = o.life AND o.ts <= r.ts"
        told, commit, of_birth = "coalesce(o.value, '(none)')", "NULL", ""
    else:
        # every deal of this history has a creation date from its first commit on
        group = "LEFT JOIN commits USING (seq)"
        told, commit, of_birth = "commits.who", "f_created.seq", "JOIN f_created USING (life)"
    birth = f"""SELECT life, begin, {commit}, false, false, false, false, false FROM lives {of_birth}
      WHERE begin >= {first} AND begin < {end}"""
    return f"""
WITH rows AS ({changes} UNION ALL {birth})
SELECT {told} AS {by}, count(DISTINCT r.life) AS deals_touched, count(*) FILTER (change) AS changes,
  count(*) FILTER (move) AS stage_moves, count(*) FILTER (push) AS pushes,
  count(*) FILTER (amount AND r.ts > begin) AS amount_changes, count(*) FILTER (NOT change) AS created,
  count(*) FILTER (closing) AS closed, count(DISTINCT {_day("r.ts")}) AS days_active
FROM rows AS r JOIN lives USING (life) {group} GROUP BY {told}
"""


_Y = _ms(YEAR[0])
_TREND = f"""
WITH moves AS (
  SELECT life, ts, value, lag(value) OVER (PARTITION BY life ORDER BY ts) AS before FROM f_stage WHERE ts < {_T}
), events AS (
  SELECT life, ts, value AS outcome FROM moves
  WHERE ts >= {_Y} AND value IN ('Won', 'Lost') AND value IS DISTINCT FROM before
  UNION ALL SELECT life, begin, 'created' FROM lives WHERE begin >= {_Y} AND begin < {_T}
), priced AS (
  SELECT e.ts, outcome, a.value AS amount FROM events AS e
  ASOF LEFT JOIN f_amount AS a ON e.life = a.life AND a.ts <= e.ts
)
SELECT strftime({_day("ts")}, '%Y-%m') AS label, count(*) FILTER (outcome = 'created') AS created,
  count(*) FILTER (outcome = 'Won') AS won, count(*) FILTER (outcome = 'Lost') AS lost,
  coalesce(sum(amount) FILTER (outcome = 'Won'), 0) AS won_value
FROM priced GROUP BY label
"""

SQL = {
    "funnel": _FUNNEL,
    "time_in_stage": _TIME_IN_STAGE,
    "ageing": _AGEING,
    "rotting": _ROTTING,
    "slippage": _SLIPPAGE,
    "coverage": _COVERAGE,
    "forecast": _FORECAST,
    "waterfall_net": _NET,
    "waterfall_gross": _GROSS,
    "cohorts": _COHORTS,
    "losses": _LOSSES,
    "win_loss": _WIN_LOSS,
    "ramp": _RAMP,
    "leaderboard_at_closing": _LEADERBOARD,
    "attainment": _ATTAINMENT,
    "activity_by_owner": _activity("owner"),
    "activity_by_who": _activity("who"),
    "trend_of_events": _TREND,
}

-- SPDX-License-Identifier: Apache-2.0
-- The catalogue of devices: classes, models, and what a plan grants of them. The rules are in migration 0033.

-- part: class_columns
c.scheme, c.edition, c.code, device_class_label(c.scheme, c.edition, c.code) AS class, c.name_zh, c.name_ko, c.name_en, c.version

-- part: model_columns
m.code, m.measure, m.name_zh, m.name_ko, m.name_en, m.maker, device_class_label(m.class_scheme, m.class_edition, m.class_code) AS class,
       m.service_months, m.price, m.subsidy, m.rent, m.rent_subsidy, m.deposit, m.loan_hours, m.retired_at, m.version

-- name: device_classes_list :many stale
-- $1 scheme, $2 edition, $3 what the code begins with, $4 text, $5 after, $6 limit
SELECT {{class_columns}}, device_class_label(c.scheme, c.edition, c.code) AS _cursor
FROM device_class c
WHERE (c.scheme, c.edition, c.code) > (split_part(coalesce($5::text, ''), '/', 1), split_part(coalesce($5::text, ''), '/', 2),
        split_part(coalesce($5::text, ''), '/', 3))
  AND ($1::text IS NULL OR c.scheme = $1::text) AND ($2::text IS NULL OR c.edition = $2::text)
  AND ($3::text IS NULL OR starts_with(c.code, $3::text))
  AND ($4::text IS NULL OR strpos(lower(c.name_zh || ' ' || c.name_ko || ' ' || c.name_en), lower($4::text)) > 0)
ORDER BY c.scheme, c.edition, c.code LIMIT $6::int;

-- name: device_class_get :one
-- $1 scheme, $2 edition, $3 code: with what is said of it, and what it is in other editions
SELECT {{class_columns}},
       (SELECT coalesce(json_agg(json_build_object('class', l.class, 'relation', l.relation) ORDER BY l.class), '[]') FROM (
            SELECT device_class_label(l.to_scheme, l.to_edition, l.to_code) AS class, l.relation FROM device_class_link l
            WHERE (l.scheme, l.edition, l.code) = (c.scheme, c.edition, c.code)
            UNION ALL
            SELECT device_class_label(l.scheme, l.edition, l.code), device_relation_turned(l.relation) FROM device_class_link l
            WHERE (l.to_scheme, l.to_edition, l.to_code) = (c.scheme, c.edition, c.code)) AS l) AS links,
       (SELECT coalesce(json_agg(json_build_object('class', device_class_label(k.scheme, k.edition, k.code), 'relation', k.relation,
            'name_zh', d.name_zh, 'name_ko', d.name_ko, 'name_en', d.name_en) ORDER BY k.scheme, k.edition, k.code), '[]')
        FROM device_class_known(c.scheme, c.edition, c.code) AS k JOIN device_class d ON (d.scheme, d.edition, d.code) = (k.scheme, k.edition, k.code)
        WHERE (k.scheme, k.edition) <> (c.scheme, c.edition)) AS equivalents
FROM device_class c WHERE c.scheme = $1::text AND c.edition = $2::text AND c.code = $3::text;

-- name: device_link_put :write
-- $3 scheme, $4 edition, $5 code, $6 the other class, $7 what that is to it
WITH answer AS (
    SELECT * FROM device_link_put(device_class_label($3::text, $4::text, $5::text), $6::text, $7::text)
)

-- name: device_link_remove :write
-- $3 scheme, $4 edition, $5 code, $6 the other class
WITH answer AS (
    SELECT * FROM device_link_put(device_class_label($3::text, $4::text, $5::text), $6::text, NULL)
)

-- name: device_class_put :write
-- $3 scheme, $4 edition, $5 code, $6 if-match, $7-$9 names
WITH answer AS (
    SELECT * FROM device_class_put($3::text, $4::text, $5::text, $6::int, $7::text, $8::text, $9::text)
)

-- name: device_models_list :many stale
-- $1 measure, $2 text, $3 whether retired ones too, $4 after, $5 limit
SELECT {{model_columns}}, NULL::text AS match
FROM device_model m
WHERE m.code > coalesce($4::text, '') AND ($1::text IS NULL OR m.measure = $1::text) AND (coalesce($3::boolean, false) OR m.retired_at IS NULL)
  AND ($2::text IS NULL OR strpos(lower(m.code || ' ' || m.name_zh || ' ' || m.name_ko || ' ' || m.name_en || ' ' || m.maker), lower($2::text)) > 0)
ORDER BY m.code LIMIT $5::int;

-- name: device_models_of_class :many stale
-- $1 measure, $2 text, $3 whether retired ones too, $4 after, $5 limit, $6 class: also what is coded by another edition. match: what the
-- model's own class is to it; same or narrower: it surely belongs to it.
SELECT {{model_columns}}, k.relation AS match
FROM device_class_known(split_part($6::text, '/', 1), split_part($6::text, '/', 2), split_part($6::text, '/', 3)) AS k
JOIN device_model m ON m.class_scheme = k.scheme AND m.class_edition = k.edition AND m.class_code = k.code
WHERE m.code > coalesce($4::text, '') AND ($1::text IS NULL OR m.measure = $1::text) AND (coalesce($3::boolean, false) OR m.retired_at IS NULL)
  AND ($2::text IS NULL OR strpos(lower(m.code || ' ' || m.name_zh || ' ' || m.name_ko || ' ' || m.name_en || ' ' || m.maker), lower($2::text)) > 0)
ORDER BY m.code LIMIT $5::int;

-- name: device_model_get :one
SELECT {{model_columns}} FROM device_model m WHERE m.code = $1::text;

-- name: device_model_put :write
-- $3 code, $4 if-match, $5 measure, $6-$8 names, $9 maker, $10 class, $11 service months, $12 price, $13 subsidy, $14 rent,
-- $15 rent subsidy, $16 deposit, $17 loan hours, $18 retired
WITH answer AS (
    SELECT * FROM device_model_put((SELECT (g.*)::device_model FROM (SELECT $3::text AS code, $5::text AS measure, $6::text AS name_zh,
        coalesce($7::text, $6::text) AS name_ko, coalesce($8::text, $6::text) AS name_en, coalesce($9::text, '') AS maker, NULL::text AS class_scheme,
        NULL::text AS class_edition, NULL::text AS class_code, $11::int AS service_months, $12::bigint AS price, coalesce($13::bigint, 0) AS subsidy,
        coalesce($14::bigint, 0) AS rent, coalesce($15::bigint, 0) AS rent_subsidy, coalesce($16::bigint, 0) AS deposit, $17::int AS loan_hours,
        NULL::timestamptz AS retired_at, 1 AS version) AS g), $10::text, $18::boolean, $4::int)
)

-- name: device_terms_list :many
-- $1 plan, $2 after, $3 limit: of every model in use, what holds in the plan and what of it is the plan's own word
SELECT m.code AS model, m.name_zh, t.service_months, t.subsidy, t.rent, t.rent_subsidy, t.deposit,
       h.service_months AS "holds.service_months", h.subsidy AS "holds.subsidy", h.rent AS "holds.rent", h.rent_subsidy AS "holds.rent_subsidy",
       h.deposit AS "holds.deposit", coalesce(t.version, 0) AS version, m.code AS _cursor
FROM plan p CROSS JOIN device_model m LEFT JOIN device_term t ON t.plan_id = p.id AND t.model = m.code
CROSS JOIN LATERAL device_terms_held(m, t) AS h
WHERE p.code = $1::text AND m.code > coalesce($2::text, '') AND (m.retired_at IS NULL OR t.model IS NOT NULL)
ORDER BY m.code LIMIT $3::int;

-- name: device_term_put :write
-- $3 plan, $4 model, $5 if-match, $6 service months, $7 subsidy, $8 rent, $9 rent subsidy, $10 deposit; NULL: as the model
WITH answer AS (
    SELECT * FROM device_term_put($3::text, $4::text, $5::int,
        (0, $4::text, $6::int, $7::bigint, $8::bigint, $9::bigint, $10::bigint, 1)::device_term)
)

-- name: device_term_remove :write
-- $3 plan, $4 model, $5 if-match
WITH answer AS (
    SELECT * FROM device_term_put($3::text, $4::text, $5::int, NULL)
)

-- name: device_catalogue_get :one
-- $1 plan, whose terms are wanted
SELECT (SELECT coalesce(json_agg(json_build_object('class', device_class_label(c.scheme, c.edition, c.code), 'name_zh', c.name_zh, 'name_ko', c.name_ko,
            'name_en', c.name_en) ORDER BY c.scheme, c.edition, c.code), '[]') FROM device_class c) AS classes,
       (SELECT coalesce(json_agg(json_build_object('class', device_class_label(l.scheme, l.edition, l.code),
            'to', device_class_label(l.to_scheme, l.to_edition, l.to_code), 'relation', l.relation)
            ORDER BY l.scheme, l.edition, l.code, l.to_scheme, l.to_edition, l.to_code), '[]') FROM device_class_link l) AS links,
       (SELECT coalesce(json_agg(json_build_object('code', m.code, 'measure', m.measure, 'name_zh', m.name_zh, 'name_ko', m.name_ko, 'name_en', m.name_en,
            'maker', m.maker, 'class', device_class_label(m.class_scheme, m.class_edition, m.class_code), 'service_months', m.service_months, 'price', m.price,
            'subsidy', m.subsidy, 'rent', m.rent, 'rent_subsidy', m.rent_subsidy, 'deposit', m.deposit, 'loan_hours', m.loan_hours,
            'retired', m.retired_at IS NOT NULL) ORDER BY m.code), '[]') FROM device_model m) AS models,
       (SELECT coalesce(json_agg(json_build_object('plan', p.code, 'model', t.model, 'service_months', t.service_months, 'subsidy', t.subsidy, 'rent', t.rent,
            'rent_subsidy', t.rent_subsidy, 'deposit', t.deposit) ORDER BY t.model), '[]')
        FROM device_term t JOIN plan p ON p.id = t.plan_id WHERE p.code = $1::text) AS terms;

-- name: device_catalogue_import :write
-- $3 classes, $4 links, $5 models, $6 terms
WITH answer AS (
    SELECT * FROM device_catalogue_import(json_build_object('classes', coalesce($3::json, '[]'), 'links', coalesce($4::json, '[]'),
        'models', coalesce($5::json, '[]'), 'terms', coalesce($6::json, '[]')))
)

-- name: load_device_catalogue :one start
-- $1: the text of db/data/device_catalogue.json. What an administrator has made of an entry stays; a link that he has removed does not
-- come back: only new classes bring theirs.
WITH classed AS (
    INSERT INTO device_class (scheme, edition, code, name_zh, name_ko, name_en)
    SELECT scheme, edition, code, name_zh, name_ko, name_en FROM device_document_classes($1::json)
    ON CONFLICT DO NOTHING RETURNING scheme, edition, code
), linked AS (
    INSERT INTO device_class_link SELECT (l.kept).* FROM device_document_links($1::json) AS l
    WHERE EXISTS (SELECT FROM classed c WHERE (c.scheme, c.edition, c.code) IN (((l.kept).scheme, (l.kept).edition, (l.kept).code),
        ((l.kept).to_scheme, (l.kept).to_edition, (l.kept).to_code)))
    ON CONFLICT DO NOTHING
)
SELECT count(*) AS added FROM classed;

-- SPDX-License-Identifier: Apache-2.0
-- compatible_from: 7
-- What sheets for print show of a case beside what its own tables say.

-- Who did it, by his user name, to be printed on a sheet of what he did.
CREATE FUNCTION sheet_account(wanted bigint) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT a.name FROM account a WHERE a.id = wanted $$;

-- Names in clear: whoever prints them leaves an access_record.
CREATE FUNCTION sheet_persons(c retrofit_case) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('name', n.name, 'relation', n.relation,
        'category', ('{视力,听力,言语,肢体,智力,精神,多重}'::text[])[n.category], 'level', ('{一级,二级,三级,四级}'::text[])[n.level])
        ORDER BY n.relation <> '户主', n.id), '[]')
    FROM person n WHERE n.plan_region = c.plan_region AND n.household_id = c.household_id $$;

-- The last photo of each item before and after, where it can be seen, in the order of the items.
CREATE FUNCTION sheet_photos(c retrofit_case) RETURNS json LANGUAGE sql STABLE AS $$
    SELECT coalesce(json_agg(json_build_object('url', '/api/v1/photos/' || p.id || '/thumb', 'item', p.item,
        'slot', CASE p.slot WHEN 'before' THEN '改造前' ELSE '改造后' END) ORDER BY p.item, p.slot DESC), '[]')
    FROM (SELECT DISTINCT ON (u.slot, i.number) u.id, u.slot, i.number AS item FROM case_photo u JOIN case_item i
              ON i.plan_region = u.plan_region AND i.case_id = u.case_id AND i.removed_at IS NULL
             AND (i.number = u.item OR (u.item IS NULL AND i.finding = u.finding))
          WHERE u.plan_region = c.plan_region AND u.case_id = c.id AND u.removed_at IS NULL AND u.slot IN ('before', 'after')
          ORDER BY u.slot, i.number, u.id DESC) AS p $$;

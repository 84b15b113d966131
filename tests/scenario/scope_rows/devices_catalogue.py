# SPDX-License-Identifier: Apache-2.0
STATEMENTS = {
    "centre_put": (lambda w: [None, None, "another", None, "tongxin", "640324", "a", "", ""],
                   {"id", "code", "name", "plan", "region", "address", "phone", "version"}),
    "device_class_put": (lambda w: [None, None, "iso9999", "1900", "1222", None, "b", None, None],
                         {"scheme", "edition", "code", "class", "name_zh", "name_ko", "name_en", "version"}),
    "device_model_put": (lambda w: [None, None, "a-model", None, "manual_wheelchair", "b", None, None, None, "iso9999/1900/1222", 12, None, None, None,
                                    None, None, None, True],
                         {"code", "measure", "name_zh", "name_ko", "name_en", "maker", "class", "service_months", "price", "subsidy", "rent",
                          "rent_subsidy", "deposit", "loan_hours", "retired_at", "version"}),
}
TERM = {"plan", "model", "service_months", "subsidy", "rent", "rent_subsidy", "deposit", "holds.service_months", "holds.subsidy", "holds.rent",
        "holds.rent_subsidy", "holds.deposit", "version"}
STATEMENTS |= {"device_term_put": (lambda w: [None, None, "tongxin", "a-model", None, 12, 1, 1, 1, 1], TERM),
               "device_term_remove": (lambda w: [None, None, "tongxin", "a-model", None], TERM)}
STATEMENTS |= {
    "device_link_put": (lambda w: [None, None, "iso9999", "1900", "1222", "iso9999/1901/1223", "wider"], {"class", "to", "relation"}),
    "device_link_remove": (lambda w: [None, None, "iso9999", "1900", "1222", "iso9999/1901/1223"], {"class", "to", "relation"}),
    "device_catalogue_import": (lambda w: [None, None, '[{"class": "iso9999/1900/1222", "name_zh": "b"}]', None, None, None], ()),
}
EXCEPTED = {
    "load_device_catalogue": "run by tantu_owner in `tantu migrate`",
    "centres_list": "names of centres, for everybody who signs in", "centre_get": "names of centres, likewise",
    **{name: "the catalogue is no secret within the service" for name in (
        "device_classes_list", "device_class_get", "device_models_list", "device_models_of_class", "device_model_get", "device_terms_list",
        "device_catalogue_get")}}
ADMINISTRATORS = {"centre_put", "device_class_put", "device_model_put", "device_term_put", "device_term_remove",
                  "device_link_put", "device_link_remove", "device_catalogue_import"}
READ_BY_ALL = {"centre"}

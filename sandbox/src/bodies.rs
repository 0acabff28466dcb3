//! Bodies as amoCRM sends them.

/// A lead was created, newer form: the account comes first.
pub const CREATED: &str = "\
    account%5Bsubdomain%5D=example1&account%5Bid%5D=16700680&\
    account%5B_links%5D%5Bself%5D=https%3A%2F%2Fexample1.amocrm.ru&\
    leads%5Badd%5D%5B0%5D%5Bid%5D=30052055&\
    leads%5Badd%5D%5B0%5D%5Bname%5D=TEST+LEAD+%28ONE%29&\
    leads%5Badd%5D%5B0%5D%5Bstatus_id%5D=17944873&leads%5Badd%5D%5B0%5D%5Bprice%5D=0&\
    leads%5Badd%5D%5B0%5D%5Bresponsible_user_id%5D=2852878&\
    leads%5Badd%5D%5B0%5D%5Blast_modified%5D=1744532875&\
    leads%5Badd%5D%5B0%5D%5Bmodified_user_id%5D=2852878&\
    leads%5Badd%5D%5B0%5D%5Bcreated_user_id%5D=2852878&\
    leads%5Badd%5D%5B0%5D%5Bdate_create%5D=1744532875&\
    leads%5Badd%5D%5B0%5D%5Bpipeline_id%5D=936736&\
    leads%5Badd%5D%5B0%5D%5Baccount_id%5D=16700680&\
    leads%5Badd%5D%5B0%5D%5Bcreated_at%5D=1744532875&\
    leads%5Badd%5D%5B0%5D%5Bupdated_at%5D=1744532875";

/// A field was changed, by a robot.
pub const UPDATED: &str = "\
    account%5Bsubdomain%5D=example1&account%5Bid%5D=16700680&\
    account%5B_links%5D%5Bself%5D=https%3A%2F%2Fexample1.amocrm.ru&\
    leads%5Bupdate%5D%5B0%5D%5Bid%5D=30052055&\
    leads%5Bupdate%5D%5B0%5D%5Bname%5D=TEST+LEAD+%28ONE%29&\
    leads%5Bupdate%5D%5B0%5D%5Bstatus_id%5D=17944873&leads%5Bupdate%5D%5B0%5D%5Bprice%5D=0&\
    leads%5Bupdate%5D%5B0%5D%5Bmodified_user_id%5D=0&\
    leads%5Bupdate%5D%5B0%5D%5Bpipeline_id%5D=936736&\
    leads%5Bupdate%5D%5B0%5D%5Baccount_id%5D=16700680&\
    leads%5Bupdate%5D%5B0%5D%5Bcustom_fields%5D%5B0%5D%5Bid%5D=957901&\
    leads%5Bupdate%5D%5B0%5D%5Bcustom_fields%5D%5B0%5D%5Bname%5D=test_id&\
    leads%5Bupdate%5D%5B0%5D%5Bcustom_fields%5D%5B0%5D%5Bvalues%5D%5B0%5D%5Bvalue%5D=30052055";

/// A lead was deleted.
pub const DELETED: &str = "\
    account%5Bsubdomain%5D=example1&account%5Bid%5D=16700680&\
    account%5B_links%5D%5Bself%5D=https%3A%2F%2Fexample1.amocrm.ru&\
    leads%5Bdelete%5D%5B0%5D%5Bid%5D=30052055&\
    leads%5Bdelete%5D%5B0%5D%5Bstatus_id%5D=17944873&\
    leads%5Bdelete%5D%5B0%5D%5Bpipeline_id%5D=936736";

/// A lead changed its stage, older form: the account comes last and has no id.
pub const STATUS_OLD_STYLE: &str = "\
    leads%5Bstatus%5D%5B0%5D%5Bid%5D=31926520&\
    leads%5Bstatus%5D%5B0%5D%5Bname%5D=Some+test+lead&\
    leads%5Bstatus%5D%5B0%5D%5Bstatus_id%5D=10216994&leads%5Bstatus%5D%5B0%5D%5Bprice%5D=1000&\
    leads%5Bstatus%5D%5B0%5D%5Bresponsible_user_id%5D=938348&\
    leads%5Bstatus%5D%5B0%5D%5Blast_modified%5D=1456820780&\
    leads%5Bstatus%5D%5B0%5D%5Bmodified_user_id%5D=102525&\
    leads%5Bstatus%5D%5B0%5D%5Bcreated_user_id%5D=102525&\
    leads%5Bstatus%5D%5B0%5D%5Bdate_create%5D=1456808154&\
    leads%5Bstatus%5D%5B0%5D%5Bpipeline_id%5D=2116&\
    leads%5Bstatus%5D%5B0%5D%5Baccount_id%5D=10216991&\
    leads%5Bstatus%5D%5B0%5D%5Bcustom_fields%5D%5B0%5D%5Bid%5D=1119321&\
    leads%5Bstatus%5D%5B0%5D%5Bcustom_fields%5D%5B0%5D%5Bname%5D=Some+text+field&\
    leads%5Bstatus%5D%5B0%5D%5Bcustom_fields%5D%5B0%5D%5Bvalues%5D%5B0%5D%5Bvalue%5D=some+text&\
    leads%5Bstatus%5D%5B0%5D%5Bold_status_id%5D=10216995&account%5Bsubdomain%5D=test000002";

/// A lead changed its stage, from a pipeline hook: ids alone.
pub const PIPELINE_STATUS: &str = "\
    leads%5Bstatus%5D%5B0%5D%5Bid%5D=10754147&\
    leads%5Bstatus%5D%5B0%5D%5Bstatus_id%5D=54423922&\
    leads%5Bstatus%5D%5B0%5D%5Bpipeline_id%5D=6344290&\
    leads%5Bstatus%5D%5B0%5D%5Bold_status_id%5D=54435014&\
    leads%5Bstatus%5D%5B0%5D%5Bold_pipeline_id%5D=6344290&account%5Bid%5D=30307558&\
    account%5Bsubdomain%5D=example3";

/// A lead was created in a stage, from a pipeline hook.
pub const PIPELINE_CREATED: &str = "\
    leads%5Badd%5D%5B0%5D%5Bid%5D=20881394&leads%5Badd%5D%5B0%5D%5Bstatus_id%5D=68671951&\
    leads%5Badd%5D%5B0%5D%5Bpipeline_id%5D=8097455&account%5Bid%5D=31205035&\
    account%5Bsubdomain%5D=example2";

/// The body of the service that this one replaces, in its own key order.
pub const ORIGINAL: &str = "\
    leads%5Bstatus%5D%5B0%5D%5Bid%5D=45721053&\
    leads%5Bstatus%5D%5B0%5D%5Bstatus_id%5D=77186758&\
    leads%5Bstatus%5D%5B0%5D%5Bpipeline_id%5D=9679730&\
    leads%5Bstatus%5D%5B0%5D%5Bold_status_id%5D=77186754&\
    leads%5Bstatus%5D%5B0%5D%5Bold_pipeline_id%5D=9679730&account%5Bid%5D=32452514&\
    account%5Bsubdomain%5D=oooprometei";

/// Raw brackets, Cyrillic text, tags, a custom field without values.
pub const CYRILLIC_UPDATE: &str = "\
    leads[update][0][id]=1&\
    leads[update][0][name]=%D0%9D%D0%B8%D0%BA%D0%B8%D1%82%D0%B0+79990000000&\
    leads[update][0][status_id]=17965459&leads[update][0][old_status_id]=21632815&\
    leads[update][0][tags][0][id]=7&leads[update][0][tags][0][name]=%D1%82%D0%B5%D1%81%D1%82&\
    leads[update][0][custom_fields][0][id]=5&\
    leads[update][0][custom_fields][0][name]=UTM_SOURCE&\
    leads[update][0][custom_fields][0][code]=UTM_SOURCE&account[subdomain]=x&account[id]=1";

/// Two leads and two actions at once.
pub const SEVERAL: &str = "\
    leads[status][0][id]=1&leads[status][0][status_id]=142&leads[status][0][pipeline_id]=9&\
    leads[status][1][id]=2&leads[status][1][status_id]=142&leads[status][1][pipeline_id]=9&\
    leads[add][0][id]=3&leads[add][0][status_id]=142&leads[add][0][pipeline_id]=9&\
    account[id]=1&account[subdomain]=x";

/// A lead was accepted from the unsorted ones: no leads at the root.
pub const UNSORTED: &str = "\
    unsorted[delete][0][action]=accept&unsorted[delete][0][uid]=40789acb&\
    unsorted[delete][0][category]=forms&unsorted[delete][0][created_at]=124242341&\
    unsorted[delete][0][accept_result][leads][0]=2132111&\
    unsorted[delete][0][accept_result][contacts][0]=3454532&account[subdomain]=test&\
    account[id]=1312313&account[_links][self]=https%3A%2F%2Ftest.amocrm.ru";

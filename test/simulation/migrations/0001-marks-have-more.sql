alter table marks add column more integer not null default 7;
alter table marks alter column last type integer using last;
